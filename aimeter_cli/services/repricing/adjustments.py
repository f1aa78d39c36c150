"""A batch of adjustments in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b

from sqlalchemy import RowMapping

from aimeter_cli.domain.money import in_range, to_nanos
from aimeter_cli.domain.overrides import Override, override_at
from aimeter_cli.domain.periods import iso
from aimeter_cli.domain.pricing import TOKEN_FIELDS, ModelPrice, PriceBook
from aimeter_cli.domain.quota import Totals
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.usage import ADJUSTMENT, Caller, UsageLine
from aimeter_cli.errors import InvalidInput
from aimeter_cli.repositories import reprice as repo
from aimeter_cli.repositories import usages
from aimeter_cli.repositories.overrides import overrides_of
from aimeter_cli.repositories.usages import CounterKey
from aimeter_cli.services.recording.accounts import Account
from aimeter_cli.services.recording.batch import Batch
from aimeter_cli.services.recording.counting import LockedCounter
from aimeter_cli.services.recording.entries import Entry
from aimeter_cli.services.repricing.outcome import Repriced

_NEVER = datetime.min.replace(tzinfo=UTC)
_NO_COUNTER: CounterKey = (0, 0, _NEVER, _NEVER, False)
_NO_TOKENS = (0, 0, 0, 0, 0)
_WAITING = ("unpriced", "needs_rate")


class Adjustments(Batch):
    """A batch of adjustments: counted, charged and written as a batch of usages is."""

    def reprice(self, ids: Sequence[int], limit: int | None) -> list[Repriced]:
        """Locks counters, then usages, as recording does; what another one priced is left out."""
        rows = repo.waiting(self._session, ids)
        keys = {
            row["counter_id"]: _counter_key(row) for row in rows if row["counter_id"] is not None
        }
        locked = usages.lock_counters(self._session, set(keys.values()), lambda _key: {})
        left = repo.lock_waiting(self._session, ids)
        rows = [row for row in rows if row["id"] in left]
        self._load(rows, {key: LockedCounter.of(row) for key, row in locked.items()})
        taken = usages.known_keys(self._session, [_key_of(row) for row in rows])
        done: list[Repriced] = []
        entries: list[Entry] = []
        for row in rows:
            if len(entries) == limit:
                break
            try:
                if _key_of(row) in taken:
                    raise InvalidInput(f"the key {_key_of(row)} was used for another usage")
                entry = self._adjustment(row)
            except InvalidInput as error:
                done.append(Repriced(row["provider"], row["model"], "refused", error.message))
                continue
            if entry.state in _WAITING:
                done.append(_outcome(entry))
            else:
                entries.append(entry)
        self._write(entries)
        return done + [_outcome(entry) for entry in entries]

    def _load(self, rows: Sequence[RowMapping], counters: dict[CounterKey, LockedCounter]) -> None:
        """What the adjustments need, read once."""
        self._counters = counters
        self._accounts.ids |= {_ref(row): row["billable_id"] for row in rows}
        self._overrides: Mapping[int, Sequence[Override]] = {}
        if rows:
            since = min(row["occurred_at"] for row in rows)
            billables = {row["billable_id"] for row in rows}
            self._overrides = overrides_of(self._session, billables, since)
        self._counted_at: dict[int, Totals] = {}
        for counter in counters.values():
            ids = [row["id"] for row in rows if row["counter_id"] == counter.id]
            if ids:
                self._counted_at |= repo.counted_at(self._session, counter.row, ids)

    def _adjustment(self, row: RowMapping) -> Entry:
        """In a waiting state if it cannot be priced yet; else its counter's totals move on."""
        override = override_at(self._overrides.get(row["billable_id"], ()), row["occurred_at"])
        counter = None if row["counter_id"] is None else self._counters[_counter_key(row)]
        key = _NO_COUNTER if counter is None else _counter_key(row)
        account = None
        if row["subscription_id"] is not None:
            account = Account(row["subscription_id"], key, counter is not None, override)
        line = _line(row)
        found = cost_of(row, self._prices)
        if found is None:
            return Entry(str(line.key), line, account, None, row["currency"], "unpriced")
        cost, currency, price = found
        in_range(cost)
        is_told = row["cost"] is not None
        entry = Entry(str(line.key), line, account, 0 if is_told else cost, currency, "priced")
        entry.price, entry.adjusts_id = price, row["id"]
        entry.billing_mode = row["billing_mode"]
        if row["billing_mode"] == "credits":
            entry.state = "unpaid" if cost else "priced"
        if counter is None:
            return entry
        if currency == counter.currency:
            entry.plan_cost = cost
        else:
            self._convert(entry, cost, counter.currency)
        if entry.state != "needs_rate":
            entry.counter = counter
            tokens = sum(row[name] for name in TOKEN_FIELDS)
            counted_at = self._counted_at[row["id"]]
            added = counter.add_cost(tokens, entry.plan_cost or 0, counted_at, override)
            entry.charge = added.charge
            if not row["charge"]:  # else its overage counts its tokens already
                entry.excess_tokens = added.excess_tokens
        return entry

    def _write(self, entries: list[Entry]) -> None:
        if not entries:
            return
        self._charge(entries)
        self._keep_prices(entries)
        self._insert(entries)
        self._update(self._counters.values())
        repo.mark_priced(self._session, [each.adjusts_id for each in entries if each.adjusts_id])
        self._pay([entry for entry in entries if entry.state == "unpaid"])


def cost_of(row: RowMapping, prices: PriceBook) -> tuple[int, str, ModelPrice | None] | None:
    """Nanos, their currency, and by what; None: there is no price yet."""
    if row["cost"] is not None:
        return to_nanos(row["cost"]), row["currency"], None
    tokens = tuple(row[name] for name in TOKEN_FIELDS)
    price = prices.find(row["provider"], row["model"], tokens, row["occurred_at"])
    cost = None if price is None else price.cost(tokens)
    if price is None or cost is None:
        return None
    return cost, price.currency, price


def _line(row: RowMapping) -> UsageLine:
    """The adjustment as a usage line: without tokens, at the time of the usage."""
    key = _key_of(row)
    return UsageLine(
        _ref(row), row["provider"], row["model"], row["feature"], _NO_TOKENS, None,
        row["currency"], key, row["occurred_at"], iso(row["occurred_at"]), None,
        blake2b(key.encode(), digest_size=16).hexdigest(),
        Caller(user=row["user_ref"], tenant=row["tenant"]),
    )  # fmt: skip


def _key_of(row: RowMapping) -> str:
    return f"{ADJUSTMENT}{row['id']}"


def _counter_key(row: RowMapping) -> CounterKey:
    return (
        row["billable_id"], row["plan_id"], row["period_start"], row["period_end"], row["is_trial"]
    )  # fmt: skip


def _ref(row: RowMapping) -> str:
    return str(BillableRef(row["type"], row["external_id"]))


def _outcome(entry: Entry) -> Repriced:
    provider, model = entry.line.provider, entry.line.model
    if entry.state in _WAITING:
        return Repriced(provider, model, entry.state, entry.missing_rate)
    source = None if entry.price is None else entry.price.source
    plan_currency = None if entry.counter is None else entry.counter.currency
    return Repriced(
        provider, model, entry.state, source, entry.cost or 0, entry.currency, entry.charge,
        plan_currency,
    )  # fmt: skip
