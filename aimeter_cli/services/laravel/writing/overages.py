"""Overages: what they charged stays charged elsewhere; what they did not is owed, once, by us.

An overage hangs on the counter of its period, and is the charge of its usages (audit). Theirs names
no usages: a daily sum of a charge alone stands for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from aimeter_cli.domain.money import from_nanos
from aimeter_cli.domain.subscription import covers
from aimeter_cli.repositories import imports as repo
from aimeter_cli.repositories.usages import account_rows, lock_counters, mark_counter
from aimeter_cli.services.laravel.mapping import OverageFacts, overage_facts
from aimeter_cli.services.laravel.schema import OVERAGES
from aimeter_cli.services.laravel.values import SourceRow
from aimeter_cli.services.laravel.writing.work import CHANGED, Work, what_of
from aimeter_cli.services.recording.accounts import Accounts, Subscriber, counter_key

PROVIDER = "laravel"
MODEL = "overage"
"""What the daily sums of their charges are called."""
FOREIGN = "imported_currency"
LATE = "imported_late"
"""Reasons of those that are charged only if somebody says so: LATE ones lie too far back."""


def write_overages(work: Work, batches: Iterable[Sequence[SourceRow]]) -> None:
    writer = _Writer(work)
    for rows in batches:
        writer.write(rows)
    work.report.note(
        writer.held,
        f"unsynced overage(s) are of periods that ended more than {work.settings.late_usage_days} "
        "days ago: held, until aimeter overages release or waive",
    )
    work.report.note(
        writer.foreign,
        "unsynced overage(s) are in another currency than their plan's: held, until aimeter "
        "overages release or waive",
    )


class _Writer:
    def __init__(self, work: Work) -> None:
        self._work = work
        self._accounts = Accounts(work.session, work.settings, work.now)
        self._late_before = work.now - timedelta(days=work.settings.late_usage_days)
        self.held = self.foreign = 0

    def write(self, rows: Sequence[SourceRow]) -> None:
        work, tally = self._work, self._work.report.table(OVERAGES.name)
        known = work.imported("overage", rows)
        found = work.read(OVERAGES.name, rows, lambda row: overage_facts(row, work.names, work.now))
        subscribers = self._subscribers([facts for _, facts in found])
        taken: dict[int, tuple[SourceRow, OverageFacts]] = {}
        for row, facts in found:
            if row.id in known:
                if known[row.id].fingerprint != row.fingerprint:
                    work.leave_out(row, _changed(facts, known[row.id].row_id))
                    continue
                tally.there_already += 1
                taken[known[row.id].row_id] = (row, facts)
                continue
            account = _account(subscribers.get(str(facts.ref), ()), facts)
            if account is None:
                work.leave_out(row, "its billable has no subscription")
                continue
            overage_id = self._add(facts, *account)
            work.remember("overage", row, overage_id)
            taken[overage_id] = (row, facts)
        self._sum(taken)

    def _subscribers(
        self, found: Sequence[OverageFacts]
    ) -> dict[str, list[tuple[int, Subscriber]]]:
        """Of each billable, with its id: the latest started first."""
        refs = sorted({facts.ref for facts in found})
        by_ref: dict[str, list[tuple[int, Subscriber]]] = {}
        for row in account_rows(self._work.session, refs, self._work.now) if refs else ():
            if row["id"] is not None:
                ref = f"{row['type']}:{row['external_id']}"
                each = (row["billable_id"], Subscriber.of(row))
                by_ref.setdefault(ref, []).append(each)
        return by_ref

    def _add(self, facts: OverageFacts, billable_id: int, subscriber: Subscriber) -> int:
        """The overage, on the counter of its period, with the charge that it is made of."""
        session, now = self._work.session, self._work.now
        key = counter_key(billable_id, subscriber, facts.moment)
        counter = lock_counters(session, {key}, self._accounts.new_terms)[key]
        if not counter["is_adjusted"]:
            mark_counter(session, counter["id"], is_adjusted=True)
        overage_id = repo.add_overage(
            session,
            billable_id=billable_id,
            subscription_id=subscriber.id,
            counter_id=counter["id"],
            period_start=counter["period_start"],
            period_end=counter["period_end"],
            tokens=facts.tokens,
            amount=from_nanos(facts.nanos),
            currency=facts.currency,
            attempts=0,
            created_at=facts.created_at or now,
            updated_at=now,
            **self._standing(facts, counter["id"], counter["currency"], subscriber.id),
        )
        repo.add_charge(
            session,
            day=facts.moment.date().isoformat(),
            billable_id=billable_id,
            subscription_id=subscriber.id,
            counter_id=counter["id"],
            overage_id=overage_id,
            provider=PROVIDER,
            model=MODEL,
            currency=counter["currency"],
            charge=from_nanos(facts.nanos),
        )
        return overage_id

    def _standing(
        self, facts: OverageFacts, counter_id: int, currency: str, subscription_id: int
    ) -> dict[str, Any]:
        """Open ones go on growing with new usage, which only one of a period can; the others are
        frozen: sent as they are. One in another currency than the plan's would fix the customer's
        currency at Stripe, so that what the plan charges could not be sent: a person decides."""
        if facts.item is not None:
            return {
                "status": "synced", "reason": "external", "external_item_id": facts.item,
                "synced_at": facts.synced_at,
            }  # fmt: skip
        if facts.period_end < self._late_before:
            self.held += 1
            return {"status": "held", "reason": LATE}
        if facts.currency != currency:
            self.foreign += 1
            return {"status": "held", "reason": FOREIGN}
        if repo.has_open_overage(self._work.session, counter_id, subscription_id):
            return {"status": "frozen"}
        return {"status": "open"}

    def _sum(self, taken: dict[int, tuple[SourceRow, OverageFacts]]) -> None:
        """Both sides: what they say, and what is stored here by now."""
        stored = repo.imported_charges(self._work.session, list(taken), PROVIDER)
        for overage_id, (row, facts) in taken.items():
            amounts = self._work.sum_of(OVERAGES.name, what_of(row), facts.currency)
            amounts.their_nanos += row.nanos("cost") or 0
            amounts.our_nanos += stored.get(overage_id, 0)


def _account(
    subscribers: Sequence[tuple[int, Subscriber]], facts: OverageFacts
) -> tuple[int, Subscriber] | None:
    """The billable and the subscription that covers it, else the one before, else the first."""
    covering = [each for each in subscribers if covers(each[1], facts.moment)]
    before = [each for each in subscribers if each[1].started_at <= facts.moment]
    return next(iter([*covering, *before, *reversed(subscribers)]), None)


def _changed(facts: OverageFacts, overage_id: int) -> str:
    if facts.item is None:
        return CHANGED
    return (
        f"it was imported before, and charged there since: aimeter overages mark-synced "
        f"{overage_id} {facts.item}"
    )
