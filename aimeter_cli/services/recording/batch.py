"""A batch of usages in one transaction, in the order of DESIGN.md, "Metering rules".

The counter rows are locked, so that the excess is exact with any number of writers, at a cost that
does not grow with history.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import RowMapping
from sqlmodel import Session

from aimeter_cli.domain.events import EventName
from aimeter_cli.domain.money import from_nanos, in_range, to_nanos
from aimeter_cli.domain.periods import iso
from aimeter_cli.domain.pricing import PriceBook
from aimeter_cli.domain.quota import Terms, Totals, charge
from aimeter_cli.domain.rates import NoRate
from aimeter_cli.domain.usage import UsageLine
from aimeter_cli.errors import InvalidInput
from aimeter_cli.repositories import usages as repo
from aimeter_cli.repositories.outbox import emit
from aimeter_cli.repositories.usages import CounterKey
from aimeter_cli.services.exchange import Exchange
from aimeter_cli.services.recording.accounts import Account, Accounts
from aimeter_cli.settings.table import Settings


class Recorded(NamedTuple):
    """What became of a line. Money in nanos of the plan's currency.

    ``is_new`` False: its key was there already, nothing has changed. ``conflict``: it was there
    with other content. ``refusal``: why it cannot be recorded at all.
    """

    key: str
    is_new: bool
    state: str
    charge: int = 0
    overage_id: int | None = None
    conflict: bool = False
    beyond_limit: bool = False
    tokens_left: int | None = None
    refusal: str | None = None


@dataclass(slots=True)
class _Counter:
    """A locked counter while a batch is added to it. ``due``: the charge of its totals."""

    row: RowMapping
    id: int
    currency: str
    terms: Terms
    totals: Totals
    before: Totals
    due: int

    @classmethod
    def of(cls, row: RowMapping) -> _Counter:
        cost_limit, price = row["cost_limit"], row["overage_price_per_1k_tokens"]
        terms = Terms(
            row["token_limit"],
            None if cost_limit is None else to_nanos(cost_limit),
            row["request_limit"],
            None if price is None else to_nanos(price),
            row["overage_markup"],
            row["overage_behavior"],
        )
        totals = Totals(
            row["tokens"],
            row["requests"],
            to_nanos(row["cost"]),
            to_nanos(row["excess_token_cost"]),
            to_nanos(row["excess_request_cost"]),
        )
        due = charge(terms, totals)
        return cls(row, row["id"], row["currency"], terms, totals, totals, due)

    def standing(self) -> tuple[bool, int | None]:
        """Whether the plan is exceeded, and how many tokens it still covers."""
        limit = self.terms.token_limit
        left = None if limit is None else max(0, limit - self.totals.tokens)
        return self.totals.exceeds(self.terms), left


@dataclass(slots=True)
class _Entry:
    """A usage on its way into the database. Money in nanos."""

    key: str
    line: UsageLine
    account: Account | None
    cost: int | None
    currency: str
    state: str
    price_id: int | None = None
    billing_mode: str | None = None
    counter: _Counter | None = None
    plan_cost: int | None = None
    exchange: str | None = None
    charge: int = 0
    excess_tokens: int = 0
    overage_id: int | None = None


class Batch:
    """One transaction's worth of lines."""

    def __init__(
        self,
        session: Session,
        settings: Settings,
        prices: PriceBook,
        billables: dict[str, int],
        now: datetime,
    ) -> None:
        self._session = session
        self._settings = settings
        self._prices = prices
        self._billables = billables
        self._now = now
        self._late_before = now - timedelta(days=settings.late_usage_days)
        self._exchange = Exchange(session, settings)
        self._accounts = Accounts(session, settings, now)

    def record(self, lines: Sequence[UsageLine]) -> list[Recorded]:
        first: dict[str, UsageLine] = {}
        for line in lines:
            first.setdefault(str(line.key), line)
        stored = repo.known_keys(self._session, list(first))
        fresh = {key: line for key, line in first.items() if key not in stored}
        added: dict[str, Recorded] = {}
        if fresh:
            placed, counters = self._place(fresh)
            if counters and repo.others_may_write(self._session):
                # Who waited for a counter may find that its holder recorded the same keys.
                stored |= repo.known_keys(self._session, list(fresh))
                fresh = {key: line for key, line in fresh.items() if key not in stored}
            added = self._add(fresh, placed, counters)
        results: list[Recorded] = []
        for line in lines:
            key = str(line.key)
            if key in stored:
                results.append(_repeat(key, line, stored[key]))
            elif first[key] is line:
                results.append(added[key])
            else:
                conflict = first[key].fingerprint != line.fingerprint
                results.append(added[key]._replace(is_new=False, conflict=conflict))
        return results

    def _place(
        self, fresh: Mapping[str, UsageLine]
    ) -> tuple[dict[str, Account | None], dict[CounterKey, _Counter]]:
        """What each line counts against, with the counters locked."""
        ids, accounts = self._billables, self._accounts
        accounts.load((line.billable for line in fresh.values()), ids)
        placed = {
            key: accounts.at(ids[line.billable], line.occurred_at) for key, line in fresh.items()
        }
        metered = {a.counter for a in placed.values() if a is not None and a.is_metered}
        locked = repo.lock_counters(
            self._session, {key: accounts.new_terms(key) for key in metered}
        )
        return placed, {key: _Counter.of(row) for key, row in locked.items()}

    def _add(
        self,
        fresh: Mapping[str, UsageLine],
        placed: Mapping[str, Account | None],
        counters: dict[CounterKey, _Counter],
    ) -> dict[str, Recorded]:
        entries: list[_Entry] = []
        refused: dict[str, Recorded] = {}
        for key, line in fresh.items():
            try:
                entries.append(self._entry(key, line, placed[key], counters))
            except InvalidInput as error:
                refused[key] = Recorded(key, False, "refused", refusal=error.message)
        if entries:
            self._charge(entries)
            self._insert(entries)
            self._update(counters.values())
        standings = {counter.id: counter.standing() for counter in counters.values()}
        return refused | {entry.key: _recorded(entry, standings) for entry in entries}

    def _entry(
        self,
        key: str,
        line: UsageLine,
        account: Account | None,
        counters: dict[CounterKey, _Counter],
    ) -> _Entry:
        """Price the usage; its counter's totals move on."""
        cost, currency = self._price(line)
        state = "unpriced" if cost is None else "priced"
        entry = _Entry(key, line, account, cost, currency, state)
        if account is None:
            return entry
        if not account.is_metered:
            entry.state = "unpaid" if cost is not None else "unpriced"
            return entry
        counter = entry.counter = counters[account.counter]
        if cost is None or currency == counter.currency:
            entry.plan_cost = cost
        else:
            self._convert(entry, cost, counter.currency)
        self._count(entry, counter)
        return entry

    def _price(self, line: UsageLine) -> tuple[int | None, str]:
        if line.cost is not None:
            return line.cost, line.currency or self._settings.currency
        price = self._prices.get((line.provider, line.model))
        if price is None:
            return None, line.currency or self._settings.currency
        return price.cost(line.tokens), price.currency

    def _convert(self, entry: _Entry, cost: int, currency: str) -> None:
        try:
            conversion = self._exchange.conversion(entry.currency, currency, entry.line.occurred_at)
        except NoRate:
            entry.state = "needs_rate"
            return
        entry.plan_cost = in_range(conversion.apply(cost))
        entry.exchange = conversion.via

    def _count(self, entry: _Entry, counter: _Counter) -> None:
        before, terms = counter.totals, counter.terms
        after = before.plus(terms, entry.line.total_tokens, entry.plan_cost or 0)
        in_range(max(after))
        due = in_range(charge(terms, after)) if after.exceeds(terms) else 0
        increase, counter.due, counter.totals = due - counter.due, due, after
        if increase and terms.behavior == "charge":
            entry.charge = increase
            entry.excess_tokens = after.excess_tokens(terms) - before.excess_tokens(terms)

    def _charge(self, entries: list[_Entry]) -> None:
        """Add what the entries charge to the overages, and link the entries to them."""
        groups: dict[tuple[int, int], list[_Entry]] = {}
        for entry in entries:
            if entry.charge and entry.counter is not None and entry.account is not None:
                group = (entry.counter.id, entry.account.subscription_id)
                groups.setdefault(group, []).append(entry)
        for (counter_id, subscription_id), group_of in sorted(groups.items()):
            counter = group_of[0].counter
            assert counter is not None  # noqa: S101 - it was grouped by it
            overage_id = repo.add_to_overage(
                self._session,
                late=counter.row["period_end"] < self._late_before,
                billable_id=counter.row["billable_id"],
                subscription_id=subscription_id,
                counter_id=counter_id,
                period_start=counter.row["period_start"],
                period_end=counter.row["period_end"],
                currency=counter.row["currency"],
                tokens=sum(entry.excess_tokens for entry in group_of),
                amount=from_nanos(sum(entry.charge for entry in group_of)),
                updated_at=self._now,
            )
            for entry in group_of:
                entry.overage_id = overage_id

    def _insert(self, entries: list[_Entry]) -> None:
        stored = repo.time_storage(self._session)
        recorded_at = stored(iso(self._now))
        rows = [
            (
                entry.key,
                entry.line.fingerprint,
                self._billables[entry.line.billable],
                entry.account.subscription_id if entry.account else None,
                entry.counter.id if entry.counter else None,
                entry.overage_id,
                entry.line.provider,
                entry.line.model,
                entry.line.feature,
                *entry.line.tokens,
                entry.cost,
                entry.currency,
                entry.plan_cost,
                entry.exchange,
                entry.charge,
                entry.state,
                stored(entry.line.stamp),
                recorded_at,
                entry.line.meta,
                entry.price_id,
                entry.billing_mode,
                entry.line.caller.user,
                entry.line.caller.tenant,
                None,
            )
            for entry in entries
        ]
        repo.insert_usages(self._session, rows)

    def _update(self, counters: Iterable[_Counter]) -> None:
        changed: dict[int, dict[str, int]] = {}
        for counter in counters:
            totals, row = counter.totals, counter.row
            changed[row["id"]] = totals._asdict()
            if totals.reaches(counter.terms) and not counter.before.reaches(counter.terms):
                emit(
                    self._session, EventName.LIMIT_REACHED, billable_id=row["billable_id"],
                    now=self._now, payload={"plan_id": row["plan_id"], "counter_id": row["id"]},
                )  # fmt: skip
        repo.update_counters(self._session, changed)


def _repeat(key: str, line: UsageLine, row: RowMapping) -> Recorded:
    return Recorded(
        key,
        is_new=False,
        state=row["state"],
        charge=row["charge"],
        overage_id=row["overage_id"],
        conflict=row["fingerprint"] != line.fingerprint,
    )


def _recorded(entry: _Entry, standings: dict[int, tuple[bool, int | None]]) -> Recorded:
    """``standings``: of each counter, after the whole batch."""
    beyond, left = standings[entry.counter.id] if entry.counter else (False, None)
    return Recorded(
        entry.key, True, entry.state, entry.charge, entry.overage_id, False, beyond, left
    )
