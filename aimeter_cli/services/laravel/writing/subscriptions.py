"""Subscriptions: the one that they would resolve is live, the others are what was before it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from aimeter_cli.domain.periods import PeriodRule
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.subscription import is_over
from aimeter_cli.errors import Conflict
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.repositories.billables import find_by_customer, get_or_create_billable
from aimeter_cli.repositories.subscriptions import find_by_stripe_id, live_subscription
from aimeter_cli.services.laravel.mapping import SubscriptionFacts, subscription_facts
from aimeter_cli.services.laravel.schema import SUBSCRIPTIONS
from aimeter_cli.services.laravel.values import SourceRow
from aimeter_cli.services.laravel.writing.work import CHANGED, Work
from aimeter_cli.services.subscriptions.ending import close_over

_Told = tuple[SourceRow, SubscriptionFacts]
RIVAL = "its billable has another live subscription here"
PLANNED = "it begins later, and another one of its billable runs until then"
_NAMED = 5


def write_subscriptions(work: Work, batches: Iterable[Sequence[SourceRow]]) -> None:
    """Raises Conflict where a billable has another live subscription here, unless ``keep_existing``
    was told: then theirs is left out."""
    writer = _Writer(work)
    by_billable: dict[BillableRef, list[_Told]] = {}
    for rows in batches:
        known = work.imported("subscription", rows)
        facts_of = lambda row: subscription_facts(row, work.names, work.now)  # noqa: E731
        for row, facts in work.read(SUBSCRIPTIONS.name, rows, facts_of):
            if row.id in known:
                if known[row.id].fingerprint == row.fingerprint:
                    work.report.table(SUBSCRIPTIONS.name).there_already += 1
                else:
                    work.leave_out(row, CHANGED)
            elif facts.plan not in work.plans:
                work.leave_out(row, "its plan is not there, or was left out")
            else:
                by_billable.setdefault(facts.ref, []).append((row, facts))
    for ref, found in by_billable.items():
        writer.write(ref, sorted(found, key=lambda each: (each[1].told_start, each[1].id)))
    writer.finish()


class _Writer:
    def __init__(self, work: Work) -> None:
        self._work = work
        self._rivals: list[str] = []
        self._told: list[SubscriptionFacts] = []
        self._superseded = self._without_ids = 0

    def write(self, ref: BillableRef, found: list[_Told]) -> None:
        """Those of one billable, the earliest first."""
        work = self._work
        billable = get_or_create_billable(work.session, ref, work.now)
        found = self._without_planned(found)
        running = [facts for _, facts in found if not _has_ended(work, facts)]
        live = running[-1] if running else None
        if live is not None and self._is_taken(billable):
            if not work.keep_existing:
                self._rivals.append(str(ref))
                return
            row = next(row for row, facts in found if facts is live)
            work.leave_out(row, RIVAL)
            found = [each for each in found if each[1] is not live]
        for row, told in reversed(found):  # the latest first: it has the ids of Stripe
            facts = told
            if live is not None and facts is not live and facts in running:
                facts = replace(facts, ends_at=max(live.started_at, facts.started_at))
                self._superseded += 1
            self._set_customer(billable, facts)
            subscription = _subscription(work, facts, billable, is_live=told is live)
            subscription.stripe_subscription_id = self._free_id(facts)
            work.session.add(subscription)
            work.session.flush()
            work.remember("subscription", row, subscription.id)
            self._told.append(facts)

    def _without_planned(self, found: list[_Told]) -> list[_Told]:
        """Without those that begin later, where one runs until then: only one can be live."""
        work = self._work
        begun = [each for each in found if each[1].started_at <= work.now]
        if all(_has_ended(work, facts) for _, facts in begun):
            return found
        for row, facts in found:
            if facts.started_at > work.now:
                work.leave_out(row, PLANNED)
        return begun

    def finish(self) -> None:
        """Notes; raises Conflict for rivals."""
        if self._rivals:
            named = ", ".join(self._rivals[:_NAMED])
            more = len(self._rivals) - _NAMED
            raise Conflict(
                "billables have another live subscription here already: "
                + named
                + (f" and {more} more" if more > 0 else ""),
                hint="Import into an empty database, or add --keep-existing: what is here stays, "
                "and those of the import are left out.",
            )
        note = self._work.report.note
        note(self._superseded, "subscription(s) ran beside a later one of the same billable, which "
             "alone counted there: they end when it begins")  # fmt: skip
        note(sum(each.was_renewed for each in self._told), "subscription(s) begin when they were "
             "made: there the start moves to that of Stripe's period at each renewal")  # fmt: skip
        note(sum(each.forgotten_grace for each in self._told), "subscription(s) have a grace that "
             "ran out and was never cleared or enforced there: active here; aimeter subscriptions "
             "reconcile asks Stripe")  # fmt: skip
        note(sum(each.has_odd_id for each in self._told), "subscription(s) name something in their "
             "meta that is no id of Stripe: left there")  # fmt: skip
        note(self._without_ids, "id(s) of Stripe belong to another billable or subscription here "
             "already, and were not set")  # fmt: skip

    def _is_taken(self, billable: Billable) -> bool:
        work = self._work
        rival = live_subscription(work.session, billable.id)
        if rival is None:
            return False
        if not is_over(rival, work.now):
            return True
        close_over(work.session, rival, work.now)
        return False

    def _set_customer(self, billable: Billable, facts: SubscriptionFacts) -> None:
        customer, session = facts.stripe_customer, self._work.session
        if customer is None or customer == billable.stripe_customer_id:
            return
        if billable.stripe_customer_id is None and find_by_customer(session, customer) is None:
            billable.stripe_customer_id = customer
            session.add(billable)
            session.flush()
        else:
            self._without_ids += 1

    def _free_id(self, facts: SubscriptionFacts) -> str | None:
        wanted = facts.stripe_subscription
        if wanted is None:
            return None
        other = find_by_stripe_id(self._work.session, wanted)
        if other is None:
            return wanted
        theirs = str(facts.ref) == other[1].ref  # the package gives all of a billable the same id
        self._without_ids += not theirs
        return None


def _has_ended(work: Work, facts: SubscriptionFacts) -> bool:
    return facts.ends_at is not None and facts.ends_at <= work.now


def _subscription(
    work: Work, facts: SubscriptionFacts, billable: Billable, *, is_live: bool
) -> Subscription:
    rule: PeriodRule = work.settings.period_rule
    return Subscription(
        billable_id=billable.id,
        plan_id=work.plans[facts.plan],
        billing_mode=facts.billing_mode,
        is_live=is_live,
        started_at=facts.started_at,
        renews_at=facts.renews_at,
        ends_at=facts.ends_at,
        trial_ends_at=facts.trial_ends_at,
        grace_period_ends_at=facts.grace_period_ends_at if is_live else None,
        period_type=rule.type,
        period_alignment=rule.alignment,
        timezone=rule.timezone,
        period_anchor=facts.anchor,
        stripe_subscription_id=None,
        meta=dict(facts.meta),
        created_at=facts.created_at or work.now,
        updated_at=work.now,
    )
