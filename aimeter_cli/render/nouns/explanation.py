"""Fields of an explained overage: one JSON document, or a page for people."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from aimeter_cli.domain.money import Money
from aimeter_cli.render.cells import as_object
from aimeter_cli.render.noun import (
    COUNT,
    FLAG,
    ID,
    LIST,
    MAP,
    MONEY,
    NUMBER,
    ROWS,
    SERIAL,
    STATUS,
    TIME,
    Column,
    Noun,
)
from aimeter_cli.render.nouns.overages import OVERAGE
from aimeter_cli.render.sections import Section

if TYPE_CHECKING:
    from aimeter_cli.services.overages.explanation import Explanation

TERMS = Noun(
    "terms",
    (
        Column("plan"),
        Column("period_start", TIME, is_dated=True),
        Column("period_end", TIME, is_dated=True),
        Column("is_trial", FLAG, header="Trial"),
        Column("token_limit", COUNT, none="unlimited"),
        Column("cost_limit", MONEY, none="unlimited"),
        Column("request_limit", COUNT, none="unlimited"),
        Column("overage_price_per_1k_tokens", MONEY, header="Per 1k tokens", none="at cost"),
        Column("overage_markup", NUMBER, header="Markup"),
        Column("overage_behavior", header="Overage"),
        Column("currency"),
    ),
)
TOTALS = Noun(
    "totals",
    (
        Column("tokens", COUNT),
        Column("requests", COUNT),
        Column("cost", MONEY),
        Column("excess_tokens", COUNT, header="Tokens beyond"),
        Column("excess_requests", COUNT, header="Requests beyond"),
        Column("excess_cost", MONEY, header="Cost beyond"),
        Column("excess_token_cost", MONEY, header="Cost of the tokens beyond"),
        Column("excess_request_cost", MONEY, header="Cost of the requests beyond"),
        Column("charge", MONEY, header="Charge of the period"),
        Column("charged", MONEY, header="All its overages"),
        Column("currency"),
    ),
)
CHARGE = Noun(
    "charge",
    (
        Column("of"),
        Column("basis"),
        Column("amount", MONEY),
        Column("currency", table=False),
        Column("decides", FLAG),
    ),
)
_TOKEN_COLUMNS = (
    Column("input_tokens", COUNT, get="usage.input_tokens", header="Input"),
    Column(
        "cached_input_tokens", COUNT, get="usage.cached_input_tokens", header="Cached", priority=30
    ),
    Column(
        "cache_write_tokens", COUNT, get="usage.cache_write_tokens", header="Written", priority=25
    ),
    Column("output_tokens", COUNT, get="usage.output_tokens", header="Output"),
    Column(
        "reasoning_tokens", COUNT, get="usage.reasoning_tokens", header="Reasoning", priority=25
    ),
)
USAGE_LINE = Noun(
    "usage",
    (
        Column("id", SERIAL, get="usage.id"),
        Column("occurred_at", TIME, get="usage.occurred_at", header="Time"),
        Column("provider", ID, get="usage.provider", priority=30),
        Column("model", ID, get="usage.model"),
        *_TOKEN_COLUMNS,
        Column("cost", MONEY, get="usage.cost"),
        Column("currency", get="usage.currency", table=False),
        Column("exchange", get="usage.exchange", priority=15),
        Column("plan_cost", MONEY, get="usage.plan_cost", currency="plan_currency"),
        Column("charge", MONEY, get="usage.charge", currency="plan_currency"),
        Column("plan_currency", table=False),
        Column("state", STATUS, get="usage.state", table=False),
        Column("idempotency_key", get="usage.idempotency_key", table=False),
    ),
)
OLDER = Noun(
    "older usages",
    (Column("count", COUNT), Column("tokens", COUNT), Column("charge", MONEY), Column("currency")),
)
PRUNED_DAY = Noun(
    "pruned day",
    (
        Column("day"),
        Column("requests", COUNT),
        Column("tokens", COUNT),
        Column("charge", MONEY),
        Column("currency", table=False),
    ),
)
CONVERSION = Noun(
    "conversion",
    (
        Column("amount", MONEY),
        Column("currency"),
        Column("charge_amount", MONEY, currency="charge_currency"),
        Column("charge_currency"),
        Column("rate", NUMBER),
        Column("via"),
    ),
)
ROUNDING = Noun(
    "rounding",
    (
        Column("overages_count", COUNT, header="Overages on the item"),
        Column("overages", MONEY, header="They come to"),
        Column("carried_in", MONEY),
        Column("carried_from", LIST, header="Carried from items"),
        Column("total", MONEY),
        Column("amount_minor", COUNT, header="Down to minor units"),
        Column("amount", MONEY),
        Column("remainder", MONEY),
        Column("currency"),
    ),
)
ITEM = Noun(
    "invoice item",
    (
        Column("id", SERIAL),
        Column("stripe_invoice_item_id", ID, get="stripe_item_id", header="At Stripe"),
        Column("stripe_customer_id", ID, header="Customer"),
        Column("status", STATUS),
        Column("reason"),
        Column("sequence", COUNT),
        Column("version", COUNT),
        Column("confirmed_version", COUNT),
        Column("target_minor", COUNT, header="Target (minor)"),
        Column("confirmed_minor", COUNT, header="Confirmed (minor)"),
        Column("currency"),
        Column("stripe_invoice_id", ID, header="Invoice"),
        Column("final_minor", COUNT, header="Final (minor)"),
        Column("carry_out", MONEY, header="Carried out"),
        Column("carried_to_id", SERIAL, header="Carried to item"),
    ),
)
FINAL_INVOICE = Noun(
    "final invoice",
    (
        Column("id", SERIAL),
        Column("status", STATUS),
        Column("phase"),
        Column("stripe_invoice_id", ID, header="At Stripe"),
        Column("reason"),
    ),
)
ATTEMPT = Noun(
    "attempt",
    (
        Column("first_sent_at", TIME, header="Sent"),
        Column("last_sent_at", TIME, table=False),
        Column("kind"),
        Column("version", COUNT, table=False),
        Column("generation", COUNT, table=False),
        Column("amount_minor", COUNT, header="Amount (minor)"),
        Column("sends", COUNT),
        Column("outcome", STATUS),
        Column("request_id", ID, header="Request", priority=30),
        Column("error", priority=35),
        Column("run_id", ID, header="Run", priority=25),
        Column("idempotency_key", ID, header="Key", priority=20),
        Column("request", MAP, get=lambda row: json.loads(row.request), table=False),
    ),
)


def _object(noun: Noun, name: str) -> Callable[[Any], Any]:
    """The field as an object of its noun, or None."""

    def get(row: Any) -> Any:
        value = getattr(row, name)
        return None if value is None else as_object(noun, value)

    return get


EXPLANATION = Noun(
    "explanation",
    (
        Column("id", SERIAL),
        Column("in_words"),
        Column("next_step"),
        Column("overage", MAP, get=_object(OVERAGE, "overage")),
        Column("terms", MAP, get=_object(TERMS, "terms")),
        Column("totals", MAP, get=_object(TOTALS, "totals")),
        Column("charges", ROWS, of=CHARGE),
        Column("usages", ROWS, of=USAGE_LINE),
        Column("older_usages", MAP, get=_object(OLDER, "older_usages")),
        Column("pruned_days", ROWS, of=PRUNED_DAY),
        Column("conversion", MAP, get=_object(CONVERSION, "conversion")),
        Column("rounding", MAP, get=_object(ROUNDING, "rounding")),
        Column("item", MAP, get=_object(ITEM, "item")),
        Column("final_invoice", MAP, get=_object(FINAL_INVOICE, "final_invoice")),
        Column("attempts", ROWS, of=ATTEMPT),
        Column("attempts_in_all", COUNT),
        Column("invoice_status", STATUS),
    ),
)


def page(found: Explanation) -> Iterator[Section]:
    """The same for people, in the order in which the amount came about."""
    step = (f"Next: {found.next_step}",) if found.next_step else ()
    yield Section("", (found.in_words, *step))
    yield Section("Terms, as they were when the period began", noun=TERMS, row=found.terms)
    yield Section("The whole period", noun=TOTALS, row=found.totals)
    yield Section("Charges of the period: the largest decides", noun=CHARGE, rows=found.charges)
    yield Section(
        "Usages that this overage charges", noun=USAGE_LINE, rows=found.usages, footer=_older(found)
    )
    if found.pruned_days:
        yield Section(
            "Usages that it charged and that were pruned or imported as sums, by day in UTC",
            noun=PRUNED_DAY,
            rows=found.pruned_days,
        )
    yield _conversion(found)
    if found.item is None or found.rounding is None:
        yield Section("Invoice item", ("none",))
        return
    yield Section("Rounding", noun=ROUNDING, row=found.rounding)
    yield Section("Invoice item", noun=ITEM, row=found.item)
    if found.final_invoice is not None:
        yield Section("Final invoice, made here", noun=FINAL_INVOICE, row=found.final_invoice)
    more = found.attempts_in_all - len(found.attempts)
    yield Section(
        "Requests to Stripe since it was put on the item",
        noun=ATTEMPT,
        rows=found.attempts,
        footer=f"and {more:,} later ones" if more else "",
    )


def _older(found: Explanation) -> str:
    rest = found.older_usages
    if not rest.count:
        return ""
    charged = Money(rest.charge, rest.currency)
    return f"and {rest.count:,} older ones: {rest.tokens:,} tokens, {charged}"


def _conversion(found: Explanation) -> Section:
    title, conversion = "Conversion", found.conversion
    if conversion is None:
        return Section(title, ("not yet: it is converted when a sync takes it",))
    if conversion.rate is None:
        return Section(title, (f"none: the customer is billed in {conversion.currency}, too",))
    return Section(title, noun=CONVERSION, row=conversion)
