"""Record usages: one transaction per batch, in the order of DESIGN.md, "Metering rules".

Keys that are there already change nothing. The counter rows are locked, so that the excess is exact
with any number of writers, at a cost that does not grow with history.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import RowMapping
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlmodel import Session

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.events import EventName
from aimeter_cli.domain.money import from_nanos, in_range, to_nanos
from aimeter_cli.domain.pricing import TOKEN_FIELDS, PriceBook
from aimeter_cli.domain.quota import Terms, Totals, charge
from aimeter_cli.domain.rates import NoRate
from aimeter_cli.domain.usage import UsageLine
from aimeter_cli.errors import Conflict
from aimeter_cli.repositories import usages as repo
from aimeter_cli.repositories.outbox import emit
from aimeter_cli.services.exchange import Exchange
from aimeter_cli.services.recording.accounts import Account, Accounts, CounterKey
from aimeter_cli.settings.table import Settings

_RACES = 5
"""How often a batch is begun anew because another writer used one of its keys first."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a line. Money in nanos of the plan's currency.

    ``is_new`` False: its key was there already, nothing has changed. ``conflict``: it was there
    with other content.
    """

    key: str
    is_new: bool
    state: str
    charge: int = 0
    overage_id: int | None = None
    conflict: bool = False
    beyond_limit: bool = False
    tokens_left: int | None = None


@dataclass(slots=True)
class _Counter:
    """A locked counter while a batch is added to it."""

    row: RowMapping
    terms: Terms
    totals: Totals
    before: Totals

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
        return cls(row, terms, totals, totals)


class Recorder:
    """Records batches. Keep one while importing: it remembers the ids of billables."""

    def __init__(self, database: Database, settings: Settings, prices: PriceBook) -> None:
        self._database = database
        self._settings = settings
        self._prices = prices
        self._billables: dict[str, int] = {}

    def record(
        self, lines: Sequence[UsageLine], *, now: datetime, dry_run: bool = False
    ) -> list[Recorded]:
        """Record the lines in one transaction. Every line must have a key.

        The result is in the order of the lines. Raises nothing for a repeated key: see
        :class:`Recorded`.
        """
        for last in (*[False] * (_RACES - 1), True):
            known = dict(self._billables)
            try:
                with self._database.write(dry_run=dry_run) as session:
                    batch = _Batch(session, self._settings, self._prices, known, now)
                    result = batch.record(lines)
            except (IntegrityError, OperationalError) as error:
                if last or not _is_race(error):
                    raise
                continue
            if not dry_run:
                self._billables = known
            return result
        raise AssertionError("unreachable: the last try returns or raises")

    def record_one(self, line: UsageLine, *, now: datetime, dry_run: bool = False) -> Recorded:
        """Record one usage. Raises Conflict if its key was used for another usage."""
        recorded = self.record([line], now=now, dry_run=dry_run)[0]
        if recorded.conflict:
            raise Conflict(
                f"idempotency key {recorded.key!r} was used for another usage",
                hint="Send the same usage again unchanged, or choose a new key.",
            )
        return recorded


def _is_race(error: IntegrityError | OperationalError) -> bool:
    told = str(error.orig)
    return "idempotency_key" in told or "deadlock detected" in told


class _Batch:
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
        keys = [str(line.key) for line in lines]
        there = repo.known_keys(self._session, keys)
        results: dict[str, Recorded] = {}
        fresh: dict[str, UsageLine] = {}
        repeats: list[Recorded | None] = []
        for key, line in zip(keys, lines, strict=True):
            earlier = fresh.get(key)
            if key in there:
                repeats.append(_repeat(key, line, there[key]))
            elif earlier is not None:
                other = earlier.fingerprint != line.fingerprint
                repeats.append(Recorded(key, is_new=False, state="priced", conflict=other))
            else:
                fresh[key] = line
                repeats.append(None)
        if fresh:
            results = self._add(fresh)
        return [
            results[key] if repeat is None else repeat
            for key, repeat in zip(keys, repeats, strict=True)
        ]

    def _add(self, fresh: dict[str, UsageLine]) -> dict[str, Recorded]:
        self._accounts.load((line.billable for line in fresh.values()), self._billables)
        ids = self._billables
        placed = {
            key: self._accounts.at(ids[line.billable], line.occurred_at)
            for key, line in fresh.items()
        }
        metered = {a.counter for a in placed.values() if a and _is_metered(a)}
        wanted = {key: self._accounts.new_terms(key) for key in metered}
        locked = repo.lock_counters(self._session, wanted)
        counters = {key: _Counter.of(row) for key, row in locked.items()}
        rows = [self._row(key, line, placed[key], counters) for key, line in fresh.items()]
        self._charge(rows, counters)
        repo.insert_usages(self._session, rows)
        self._update(counters)
        return {row["idempotency_key"]: _recorded(row, placed, counters) for row in rows}

    def _row(
        self,
        key: str,
        line: UsageLine,
        account: Account | None,
        counters: dict[CounterKey, _Counter],
    ) -> dict[str, Any]:
        """The usage's row; its counter's totals move on."""
        cost, currency = self._price(line)
        row: dict[str, Any] = {
            "idempotency_key": key,
            "fingerprint": line.fingerprint,
            "billable_id": self._billables[line.billable],
            "subscription_id": account.subscription.id if account else None,
            "counter_id": None,
            "overage_id": None,
            "provider": line.provider,
            "model": line.model,
            "feature": line.feature,
            **dict(zip(TOKEN_FIELDS, line.tokens, strict=True)),
            "cost": cost,
            "currency": currency,
            "plan_cost": None,
            "exchange": None,
            "charge": 0,
            "state": "unpriced" if cost is None else "priced",
            "occurred_at": line.occurred_at,
            "recorded_at": self._now,
            "meta": line.meta,
        }
        if account is None:
            return row
        if not _is_metered(account):
            row["state"] = "unpaid" if cost is not None else "unpriced"
            return row
        counter = counters[account.counter]
        self._convert(row, line, counter.row["currency"])
        self._count(row, line, account, counter)
        return row

    def _price(self, line: UsageLine) -> tuple[int | None, str]:
        if line.cost is not None:
            return line.cost, line.currency or self._settings.currency
        price = self._prices.get((line.provider, line.model))
        if price is None:
            return None, line.currency or self._settings.currency
        return price.cost(line.tokens), price.currency

    def _convert(self, row: dict[str, Any], line: UsageLine, currency: str) -> None:
        if row["cost"] is None:
            return
        try:
            conversion = self._exchange.conversion(row["currency"], currency, line.occurred_at)
        except NoRate:
            row["state"] = "needs_rate"
            return
        row["plan_cost"] = in_range(conversion.apply(row["cost"]))
        row["exchange"] = conversion.via if row["currency"] != currency else None

    def _count(
        self, row: dict[str, Any], line: UsageLine, account: Account, counter: _Counter
    ) -> None:
        before, terms = counter.totals, counter.terms
        after = before.plus(terms, line.total_tokens, row["plan_cost"] or 0)
        counter.totals = after
        row["counter_id"] = counter.row["id"]
        if not after.exceeds(terms) or self._accounts.behavior(account, terms) != "charge":
            return
        increase = charge(terms, after) - charge(terms, before)
        if increase:
            row["charge"] = increase
            row["_excess"] = after.excess_tokens(terms) - before.excess_tokens(terms)

    def _charge(self, rows: list[dict[str, Any]], counters: dict[CounterKey, _Counter]) -> None:
        """Add what the rows charge to the overages, and link the rows to them."""
        groups: dict[tuple[int, int], list[dict[str, Any]]] = {}
        for row in rows:
            if row["charge"]:
                groups.setdefault((row["counter_id"], row["subscription_id"]), []).append(row)
        by_id = {counter.row["id"]: counter.row for counter in counters.values()}
        for (counter_id, subscription_id), group in sorted(groups.items()):
            counter = by_id[counter_id]
            overage_id = repo.add_to_overage(
                self._session,
                late=counter["period_end"] < self._late_before,
                billable_id=counter["billable_id"],
                subscription_id=subscription_id,
                counter_id=counter_id,
                period_start=counter["period_start"],
                period_end=counter["period_end"],
                currency=counter["currency"],
                tokens=sum(row.pop("_excess") for row in group),
                amount=from_nanos(sum(row["charge"] for row in group)),
                updated_at=self._now,
            )
            for row in group:
                row["overage_id"] = overage_id

    def _update(self, counters: dict[CounterKey, _Counter]) -> None:
        changed = [
            {
                "counter": counter.row["id"],
                "tokens": in_range(counter.totals.tokens),
                "requests": counter.totals.requests,
                "cost": in_range(counter.totals.cost),
                "excess_token_cost": in_range(counter.totals.excess_token_cost),
                "excess_request_cost": in_range(counter.totals.excess_request_cost),
            }
            for counter in counters.values()
        ]
        if changed:
            repo.update_counters(self._session, changed)
        for key, counter in counters.items():
            if counter.totals.reaches(counter.terms) and not counter.before.reaches(counter.terms):
                emit(
                    self._session, EventName.LIMIT_REACHED, billable_id=key[0], now=self._now,
                    payload={"plan_id": key[1], "counter_id": counter.row["id"]},
                )  # fmt: skip


def _is_metered(account: Account) -> bool:
    """Credits have no plan limits: the wallet is the limit."""
    return account.subscription.billing_mode == "plan"


def _repeat(key: str, line: UsageLine, row: RowMapping) -> Recorded:
    stored: Decimal = row["charge"]
    return Recorded(
        key,
        is_new=False,
        state=row["state"],
        charge=to_nanos(stored),
        overage_id=row["overage_id"],
        conflict=row["fingerprint"] != line.fingerprint,
    )


def _recorded(
    row: dict[str, Any],
    placed: dict[str, Account | None],
    counters: dict[CounterKey, _Counter],
) -> Recorded:
    key = row["idempotency_key"]
    account = placed[key]
    counter = counters.get(account.counter) if account is not None else None
    left = None
    if counter is not None and counter.terms.token_limit is not None:
        left = max(0, counter.terms.token_limit - counter.totals.tokens)
    return Recorded(
        key,
        is_new=True,
        state=row["state"],
        charge=row["charge"],
        overage_id=row["overage_id"],
        beyond_limit=counter is not None and counter.totals.exceeds(counter.terms),
        tokens_left=left,
    )
