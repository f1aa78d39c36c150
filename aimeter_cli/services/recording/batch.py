"""A batch of usages in one transaction, in the order of DESIGN.md, "Metering rules".

The counter rows are locked, so that the excess is exact with any number of writers, at a cost that
does not grow with history.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlmodel import Session

from aimeter_cli.domain.money import from_nanos, in_range
from aimeter_cli.domain.periods import iso
from aimeter_cli.domain.pricing import ModelPrice, PriceBook
from aimeter_cli.domain.rates import NoRate
from aimeter_cli.domain.usage import UsageLine
from aimeter_cli.errors import InvalidInput
from aimeter_cli.repositories import usages as repo
from aimeter_cli.repositories.installation import installation
from aimeter_cli.repositories.prices import PriceKey, keep_prices
from aimeter_cli.repositories.usages import CounterKey
from aimeter_cli.services.credits.holds import close_hold
from aimeter_cli.services.credits.paying import pay_unpaid
from aimeter_cli.services.exchange import Exchange
from aimeter_cli.services.recording.accounts import Account, Accounts
from aimeter_cli.services.recording.counting import LockedCounter
from aimeter_cli.services.recording.entries import Entry, Recorded, recorded, repeated
from aimeter_cli.services.recording.limits import tell_limits
from aimeter_cli.services.recording.telling import tell_usages
from aimeter_cli.services.subscriptions.plan_changes import tell_plan_change
from aimeter_cli.settings.table import Settings

_FRESH = timedelta(days=1)
"""Nothing younger is ever pruned."""
_NEVER = datetime.min.replace(tzinfo=UTC)


class Batch:
    """One transaction's worth of lines. ``release``: the hold of the one call that it records."""

    def __init__(
        self,
        session: Session,
        settings: Settings,
        prices: PriceBook,
        now: datetime,
        release: str | None = None,
        price_ids: Mapping[PriceKey, int] | None = None,
    ) -> None:
        self._session = session
        self._settings = settings
        self._prices = prices
        self._now = now
        self._release = release
        self._price_ids = {} if price_ids is None else price_ids
        self.kept_prices: dict[PriceKey, int] = {}
        self._perhaps_pruned = now - _FRESH
        self._pruned_before: datetime | None = None
        self._late_before = now - timedelta(days=settings.late_usage_days)
        self._exchange = Exchange(session, settings)
        self._accounts = Accounts(session, settings, now)

    def record(self, lines: Sequence[UsageLine]) -> list[Recorded]:
        if self._release is not None:
            close_hold(self._session, self._release, now=self._now)
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
                results.append(repeated(key, line, stored[key]))
            elif first[key] is line:
                results.append(added[key])
            else:
                conflict = first[key].fingerprint != line.fingerprint
                results.append(added[key]._replace(is_new=False, conflict=conflict))
        return results

    def _place(
        self, fresh: Mapping[str, UsageLine]
    ) -> tuple[dict[str, Account | None], dict[CounterKey, LockedCounter]]:
        """What each line counts against, with the counters locked."""
        accounts = self._accounts
        accounts.load(fresh.values())
        ids = accounts.ids
        placed = {
            key: accounts.at(ids[line.billable], line.occurred_at) for key, line in fresh.items()
        }
        metered = {
            account.counter
            for key, account in placed.items()
            if account is not None and _mode(fresh[key], account) == "plan"
        }
        locked = repo.lock_counters(self._session, metered, accounts.new_terms)
        return placed, {key: LockedCounter.of(row) for key, row in locked.items()}

    def _add(
        self,
        fresh: Mapping[str, UsageLine],
        placed: Mapping[str, Account | None],
        counters: dict[CounterKey, LockedCounter],
    ) -> dict[str, Recorded]:
        entries: list[Entry] = []
        refused: dict[str, Recorded] = {}
        for key, line in fresh.items():
            try:
                entries.append(self._entry(key, line, placed[key], counters))
            except InvalidInput as error:
                refused[key] = Recorded(key, False, "refused", refusal=error.message)
        if entries:
            self._charge(entries)
            self._keep_prices(entries)
            self._insert(entries)
            self._update(counters.values())
            self._pay([entry for entry in entries if entry.state == "unpaid"])
            tell_usages(self._session, self._settings, entries, self._accounts.ids, self._now)
        standings = {counter.id: counter.standing() for counter in counters.values()}
        return refused | {entry.key: recorded(entry, standings) for entry in entries}

    def _entry(
        self,
        key: str,
        line: UsageLine,
        account: Account | None,
        counters: dict[CounterKey, LockedCounter],
    ) -> Entry:
        """Price the usage; its counter's totals move on."""
        cost, currency, price = self._price(line)
        state = "unpriced" if cost is None else "priced"
        entry = Entry(key, line, account, cost, currency, state, price)
        self._refuse_pruned(line)
        if _mode(line, account) == "credits":
            entry.billing_mode = "credits"
            if cost:
                entry.state = "unpaid"
            return entry
        if account is None:
            return entry
        counter = entry.counter = counters[account.counter]
        if cost is None or currency == counter.currency:
            entry.plan_cost = cost
        else:
            self._convert(entry, cost, counter.currency)
        self._count(entry, counter)
        return entry

    def _price(self, line: UsageLine) -> tuple[int | None, str, ModelPrice | None]:
        """Cost, its currency, and by what it was priced, where the caller told no cost."""
        told = line.currency or self._settings.currency
        if line.cost is not None:
            return line.cost, told, None
        price = self._prices.find(line.provider, line.model, line.tokens, line.occurred_at)
        cost = None if price is None else price.cost(line.tokens)
        if price is None or cost is None:
            return None, told, None
        return in_range(cost), price.currency, price

    def _keep_prices(self, entries: Iterable[Entry]) -> None:
        """Link the entries to the prices that they were charged with."""
        waiting: list[tuple[Entry, PriceKey]] = []
        for entry in entries:
            if entry.price is None:
                continue
            key = (entry.line.provider, entry.line.model, entry.price)
            entry.price_id = self._price_ids.get(key)
            if entry.price_id is None:
                waiting.append((entry, key))
        if waiting:
            self.kept_prices = keep_prices(self._session, {key for _, key in waiting}, self._now)
        for entry, key in waiting:
            entry.price_id = self.kept_prices[key]

    def _convert(self, entry: Entry, cost: int, currency: str) -> None:
        try:
            conversion = self._exchange.conversion(entry.currency, currency, entry.line.occurred_at)
        except NoRate as missing:
            entry.state, entry.missing_rate = "needs_rate", missing.message
            return
        entry.plan_cost = in_range(conversion.apply(cost))
        entry.exchange = conversion.via

    def _count(self, entry: Entry, counter: LockedCounter) -> None:
        override = entry.account.override if entry.account is not None else None
        entry.charge, entry.excess_tokens = counter.count(
            entry.line.total_tokens, entry.plan_cost or 0, override
        )

    def _charge(self, entries: list[Entry]) -> None:
        """Add what the entries charge to the overages, and link the entries to them."""
        groups: dict[tuple[int, int], list[Entry]] = {}
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

    def _insert(self, entries: list[Entry]) -> None:
        stored, billables = repo.time_storage(self._session), self._accounts.ids
        recorded_at = stored(iso(self._now))
        rows = [
            (
                entry.key,
                entry.line.fingerprint,
                billables[entry.line.billable],
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
                entry.adjusts_id,
            )
            for entry in entries
        ]
        repo.insert_usages(self._session, rows)

    def _pay(self, entries: Sequence[Entry]) -> None:
        """From the wallets, oldest first, as far as they last."""
        if not entries:
            return
        billables = {self._accounts.ids[entry.line.billable] for entry in entries}
        pay_unpaid(self._session, self._settings, billables, self._now)
        stored = repo.known_keys(self._session, [entry.key for entry in entries])
        for entry in entries:
            entry.state = stored[entry.key]["state"]

    def _refuse_pruned(self, line: UsageLine) -> None:
        if line.occurred_at >= self._perhaps_pruned:
            return
        if self._pruned_before is None:
            self._pruned_before = installation(self._session).pruned_before or _NEVER
        if line.occurred_at < self._pruned_before:
            raise InvalidInput(
                f"occurred_at: {line.stamp} lies before {iso(self._pruned_before)}, until when "
                "usages were pruned: whether it was recorded before cannot be told any more"
            )

    def _update(self, counters: Iterable[LockedCounter]) -> None:
        changed: dict[int, dict[str, int]] = {}
        for counter in counters:
            if counter.totals is counter.before:
                continue
            row, totals = counter.row, counter.totals
            changed[counter.id] = totals._asdict()
            marks: dict[str, datetime | bool] = {}
            marks |= tell_limits(
                self._session, self._settings, row, partial(self._slug, row["plan_id"]),
                counter.terms, totals, self._now,
            )  # fmt: skip
            if counter.is_adjusted and not row["is_adjusted"]:
                marks["is_adjusted"] = True
            if marks:
                repo.mark_counter(self._session, counter.id, **marks)
        repo.update_counters(self._session, changed)
        for subscription_id in sorted(self._accounts.changed_plan()):
            tell_plan_change(self._session, subscription_id, self._now)

    def _slug(self, plan_id: int) -> str:
        return str(self._accounts.plan(plan_id)["slug"])


def _mode(line: UsageLine, account: Account | None) -> str:
    """The call's own mode, else the subscription's."""
    if line.caller.billing_mode is not None:
        return line.caller.billing_mode
    return "plan" if account is None or account.is_metered else "credits"
