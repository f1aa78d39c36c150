"""Usages: history. Each counts in the period and plan that it belongs to, and charges nothing.

So a limit that was used up there is used up here, and from the import on only what is used beyond
that is charged: a charge is always the increase on the period's totals (DESIGN.md, "Metering
rules"), and what these totals already come to was theirs to charge. Nothing is told of them: no
events, and none later of limits that they have reached already.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from aimeter_cli.domain.allowance import limits_of, tightest
from aimeter_cli.domain.money import in_range
from aimeter_cli.domain.periods import iso
from aimeter_cli.domain.rates import NoRate
from aimeter_cli.domain.usage import UsageLine
from aimeter_cli.errors import InvalidInput
from aimeter_cli.repositories import usages as repo
from aimeter_cli.repositories.imports import mark_counters
from aimeter_cli.repositories.installation import installation
from aimeter_cli.repositories.usages import USAGE_COLUMNS, CounterKey
from aimeter_cli.services.exchange import Exchange
from aimeter_cli.services.laravel.mapping import usage_key, usage_of
from aimeter_cli.services.laravel.schema import USAGES
from aimeter_cli.services.laravel.values import SourceRow
from aimeter_cli.services.laravel.writing.work import CHANGED, Work
from aimeter_cli.services.recording.accounts import Account, Accounts
from aimeter_cli.services.recording.counting import LockedCounter

_NEVER = datetime.min.replace(tzinfo=UTC)
_Told = tuple[SourceRow, UsageLine]


def write_usages(work: Work, batches: Iterable[Sequence[SourceRow]]) -> None:
    """In the order of their ids."""
    writer = _Writer(work)
    for rows in batches:
        writer.write(work.read(USAGES.name, rows, lambda row: usage_of(row, work.names, work.now)))
    work.report.note(
        writer.without_rate,
        "usage(s) cost another currency than their plan's, without a rate of their time: they do "
        "not count towards its cost limit",
    )


class _Writer:
    def __init__(self, work: Work) -> None:
        self._work = work
        self._exchange = Exchange(work.session, work.settings)
        self._pruned_before = installation(work.session).pruned_before or _NEVER
        self.without_rate = 0

    def write(self, found: Sequence[_Told]) -> None:
        session, tally = self._work.session, self._work.report.table(USAGES.name)
        stored = repo.known_keys(session, [usage_key(row.id) for row, _ in found])
        fresh: list[_Told] = []
        taken: list[_Told] = []
        for row, line in found:
            known = stored.get(str(line.key))
            if known is None and line.occurred_at < self._pruned_before:
                self._work.leave_out(
                    row, f"it occurred before {iso(self._pruned_before)}, until when usages were "
                    "pruned here",
                )  # fmt: skip
            elif known is None:
                fresh.append((row, line))
            elif known["fingerprint"] != line.fingerprint:
                self._work.leave_out(row, CHANGED)
            else:
                tally.there_already += 1
                taken.append((row, line))
        added = self._add(fresh) if fresh else []
        tally.imported += len(added)
        self._sum([*taken, *added])

    def _add(self, fresh: Sequence[_Told]) -> list[_Told]:
        """Those that can be kept."""
        session = self._work.session
        accounts = Accounts(session, self._work.settings, self._work.now)
        accounts.load(line for _, line in fresh)
        placed = [accounts.at(accounts.ids[line.billable], line.occurred_at) for _, line in fresh]
        keys: set[CounterKey] = {each.counter for each in placed if each and each.is_metered}
        locked = repo.lock_counters(session, keys, accounts.new_terms)
        counters = {key: LockedCounter.of(row) for key, row in locked.items()}
        added: list[_Told] = []
        rows: list[tuple[Any, ...]] = []
        for (row, line), account in zip(fresh, placed, strict=True):
            counter = counters[account.counter] if account and account.is_metered else None
            try:
                values = self._values(line, account, counter)
            except InvalidInput as error:
                self._work.leave_out(row, error.message)
                continue
            values["billable_id"] = accounts.ids[line.billable]
            rows.append(tuple(values[name] for name in USAGE_COLUMNS))
            added.append((row, line))
        if rows:
            repo.insert_usages(session, rows)
        self._update(counters.values())
        return added

    def _values(
        self, line: UsageLine, account: Account | None, counter: LockedCounter | None
    ) -> dict[str, Any]:
        """The columns; the counter's totals move on. Its charge is not taken: it is history."""
        plan_cost, via = self._converted(line, counter)
        if account is not None and counter is not None:
            counter.count(line.total_tokens, plan_cost or 0, account.override)
        stored = repo.time_storage(self._work.session)
        inputs, cached, written, outputs, reasoning = line.tokens
        return {
            "idempotency_key": line.key, "fingerprint": line.fingerprint,
            "subscription_id": account.subscription_id if account is not None else None,
            "counter_id": counter.id if counter is not None else None, "overage_id": None,
            "provider": line.provider, "model": line.model, "feature": line.feature,
            "input_tokens": inputs, "cached_input_tokens": cached, "cache_write_tokens": written,
            "output_tokens": outputs, "reasoning_tokens": reasoning, "cost": line.cost,
            "currency": line.currency, "plan_cost": plan_cost, "exchange": via, "charge": 0,
            "state": "priced", "occurred_at": stored(line.stamp),
            "recorded_at": stored(iso(self._work.now)), "meta": line.meta, "price_id": None,
            "billing_mode": None, "user_ref": line.caller.user, "tenant": line.caller.tenant,
            "adjusts_id": None,
        }  # fmt: skip

    def _converted(
        self, line: UsageLine, counter: LockedCounter | None
    ) -> tuple[int | None, str | None]:
        """Its cost in the plan's currency, and at which rate; None: there is no rate."""
        if counter is None or line.cost is None or line.currency is None:
            return None, None
        if line.currency == counter.currency:
            return line.cost, None
        try:
            conversion = self._exchange.conversion(
                line.currency, counter.currency, line.occurred_at
            )
        except NoRate:
            self.without_rate += 1
            return None, None
        return in_range(conversion.apply(line.cost)), conversion.via

    def _update(self, counters: Iterable[LockedCounter]) -> None:
        """What they count, and what need not be told any more."""
        session, now = self._work.session, self._work.now
        moved = [each for each in counters if each.totals is not each.before]
        repo.update_counters(session, {each.id: each.totals._asdict() for each in moved})
        marks: list[dict[str, Any]] = []
        for counter in moved:
            most = tightest(limits_of(counter.pinned, counter.totals))
            percent = 0 if most is None else most.percent
            approached = percent >= self._work.settings.limit_approaching_percent
            reached = most is not None and most.is_reached
            marks.append(
                {
                    "counter": counter.id, "approached": now if approached else None,
                    "reached": now if reached else None,
                }
            )  # fmt: skip
        if marks:
            mark_counters(session, marks)

    def _sum(self, taken: Sequence[_Told]) -> None:
        """Both sides: what they say, and what is stored here by now."""
        stored = repo.known_keys(self._work.session, [usage_key(row.id) for row, _ in taken])
        for row, line in taken:
            ours = stored[str(line.key)]
            theirs = self._work.sum_of(USAGES.name, "cost", str(line.currency))
            theirs.their_nanos += row.nanos("total_cost") or 0
            self._work.sum_of(USAGES.name, "cost", ours["currency"]).our_nanos += ours["cost"]
