"""Where the amount of one overage comes from, and where it went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import cast

from sqlmodel import Session

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.money import (
    Money,
    floor_to_minor,
    from_nanos,
    minor_to_nanos,
    to_nanos,
)
from aimeter_cli.domain.quota import OverageBehavior, Terms, Totals, charge
from aimeter_cli.errors import NotFound
from aimeter_cli.models.overages import Overage
from aimeter_cli.models.usages import Usage, UsageCounter
from aimeter_cli.repositories import explain as repo
from aimeter_cli.repositories.lost_invoices import lost_items
from aimeter_cli.repositories.overages import overage_views
from aimeter_cli.services.overages.explanation import (
    ChargeLine,
    Converted,
    Explanation,
    OlderUsages,
    PeriodTotals,
    PinnedTerms,
    PrunedDay,
    Rounding,
    UsageLine,
)
from aimeter_cli.services.overages.in_words import COLLECT, in_words, is_lost, next_step

ATTEMPTS = 50


def explain(database: Database, overage_id: int, *, usages: int = 50) -> Explanation:
    """With at most so many usages, the newest ones. Raises NotFound."""
    with database.read() as session:
        found = repo.overage_row(session, overage_id)
        if found is None:
            raise NotFound(f"there is no overage {overage_id}", hint="aimeter overages list")
        overage, billable, counter, plan = found
        [view] = overage_views(session, [overage_id])
        shown = repo.newest_usages(session, overage_id, usages)
        terms = _pinned(counter, plan.slug)
        explained = Explanation(
            "",
            next_step(overage, billable),
            view,
            terms,
            _totals(counter, repo.charged_by_counter(session, counter.id)),
            _charges(counter),
            tuple(UsageLine(usage, counter.currency) for usage in shown),
            _older(repo.usage_sum(session, overage_id), shown, counter.currency),
            tuple(
                PrunedDay(*day, counter.currency) for day in repo.pruned_days(session, overage_id)
            ),
            _conversion(overage),
        )
        if overage.item_id is not None:
            explained = _with_item(session, explained, overage)
        told = in_words(overage, billable.ref, plan.slug, counter, explained.item)
        waiting = repo.waiting_usages(session, counter.id)
        if waiting:
            told += f" {waiting:,} usage(s) of its period wait for a price or a rate: not included."
        lost = lost_items(session, item_id=overage.item_id) if overage.item_id is not None else ()
        if not lost or overage.status != "synced":
            return replace(explained, in_words=told)
        return replace(
            explained,
            in_words=f"{told} {is_lost(lost[0])}",
            next_step=COLLECT,
            invoice_status=lost[0].invoice_status,
        )


def _pinned(counter: UsageCounter, plan: str) -> PinnedTerms:
    return PinnedTerms(
        plan,
        counter.period_start,
        counter.period_end,
        counter.is_trial,
        counter.token_limit,
        counter.cost_limit,
        counter.request_limit,
        counter.overage_price_per_1k_tokens,
        counter.overage_markup,
        counter.overage_behavior,
        counter.currency,
    )


def _priced(counter: UsageCounter) -> tuple[Terms, Totals]:
    cost_limit, price = counter.cost_limit, counter.overage_price_per_1k_tokens
    terms = Terms(
        counter.token_limit,
        None if cost_limit is None else to_nanos(cost_limit),
        counter.request_limit,
        None if price is None else to_nanos(price),
        counter.overage_markup,
        cast(OverageBehavior, counter.overage_behavior),
    )
    totals = Totals(
        counter.tokens,
        counter.requests,
        to_nanos(counter.cost),
        to_nanos(counter.excess_token_cost),
        to_nanos(counter.excess_request_cost),
    )
    return terms, totals


def _totals(counter: UsageCounter, charged: int) -> PeriodTotals:
    terms, totals = _priced(counter)
    requests, cost = counter.request_limit, counter.cost_limit
    return PeriodTotals(
        counter.tokens,
        counter.requests,
        counter.cost,
        totals.excess_tokens(terms),
        0 if requests is None else max(0, counter.requests - requests),
        Decimal(0) if cost is None else max(Decimal(0), counter.cost - cost),
        counter.excess_token_cost,
        counter.excess_request_cost,
        from_nanos(charge(terms, totals)),
        from_nanos(charged),
        counter.currency,
    )


def _charges(counter: UsageCounter) -> tuple[ChargeLine, ...]:
    """The token, cost and request charge, each by the rule that takes the largest of them."""
    terms, totals = _priced(counter)
    amounts = {
        "tokens": charge(replace(terms, cost_limit=None, request_limit=None), totals),
        "cost": charge(replace(terms, price_per_1k=0, request_limit=None), totals),
        "requests": charge(replace(terms, price_per_1k=0, cost_limit=None), totals),
    }
    most = max(amounts.values())
    first = next(name for name, amount in amounts.items() if amount == most)
    return tuple(
        ChargeLine(name, basis, from_nanos(amounts[name]), counter.currency, name == first)
        for name, basis in _bases(counter, terms, totals).items()
    )


def _bases(counter: UsageCounter, terms: Terms, totals: Totals) -> dict[str, str]:
    def money(nanos: int) -> Money:
        return Money.of_nanos(nanos, counter.currency)

    times = f"× {terms.markup.normalize():f}"
    excess = f"{totals.excess_tokens(terms):,} tokens beyond {terms.token_limit or 0:,}"
    if terms.token_limit is None:
        tokens = "no token limit"
    elif terms.price_per_1k is None:
        tokens = f"{excess}, at their cost {money(totals.excess_token_cost)} {times}"
    else:
        tokens = f"{excess}, at {money(terms.price_per_1k)} per 1,000"
    cost = "no cost limit"
    if terms.cost_limit is not None:
        beyond = max(0, totals.cost - terms.cost_limit)
        cost = f"{money(beyond)} beyond {money(terms.cost_limit)} {times}"
    requests = "no request limit"
    if terms.request_limit is not None:
        beyond = max(0, totals.requests - terms.request_limit)
        told = money(totals.excess_request_cost)
        requests = f"{beyond:,} requests beyond {terms.request_limit:,}, at their cost {told}"
        requests = f"{requests} {times}"
    return {"tokens": tokens, "cost": cost, "requests": requests}


def _older(
    everything: tuple[int, int, Decimal], shown: Sequence[Usage], currency: str
) -> OlderUsages:
    tokens = sum(
        usage.input_tokens + usage.cached_input_tokens + usage.cache_write_tokens
        + usage.output_tokens + usage.reasoning_tokens
        for usage in shown
    )  # fmt: skip
    charged = sum((usage.charge for usage in shown), Decimal(0))
    count, all_tokens, all_charged = everything
    return OlderUsages(count - len(shown), all_tokens - tokens, all_charged - charged, currency)


def _conversion(overage: Overage) -> Converted | None:
    if overage.charge_amount is None or overage.charge_currency is None:
        return None
    return Converted(
        overage.amount,
        overage.currency,
        overage.charge_amount,
        overage.charge_currency,
        overage.exchange_rate,
        overage.exchange,
    )


def _with_item(session: Session, explained: Explanation, overage: Overage) -> Explanation:
    item, invoice = repo.item_and_invoice(session, cast(int, overage.item_id))
    count, own = repo.on_item(session, item.id)
    sources = repo.carried_into(session, item.id)
    carried = sum(to_nanos(source.carry_out or Decimal(0)) for source in sources)
    minor = max(0, floor_to_minor(own + carried, item.currency))
    whole = minor_to_nanos(minor, item.currency)
    rounding = Rounding(
        count,
        from_nanos(own),
        from_nanos(carried),
        tuple(source.id for source in sources),
        from_nanos(own + carried),
        minor,
        from_nanos(whole),
        from_nanos(own + carried - whole),
        item.currency,
    )
    attempts, in_all = repo.attempts_for(session, item, overage.in_version or 0, ATTEMPTS)
    return replace(
        explained,
        rounding=rounding,
        item=item,
        final_invoice=invoice,
        attempts=attempts,
        attempts_in_all=in_all,
    )
