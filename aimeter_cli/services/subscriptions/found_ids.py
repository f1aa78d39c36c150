"""What was found at Stripe, set where an id is missing and nothing is ambiguous."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.domain.stripe_ids import Ambiguous, choose_subscription
from aimeter_cli.domain.stripe_payloads import StripeSubscription
from aimeter_cli.errors import AimeterError, Conflict
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.repositories.subscriptions import find_by_stripe_id, lock_subscription
from aimeter_cli.services.billables import billable_named
from aimeter_cli.services.stripe_customers import set_customer
from aimeter_cli.services.subscriptions.at_stripe import FoundBy, Known, Seen, Unclear, in_words
from aimeter_cli.services.subscriptions.stripe_ids import set_subscription

Status = Literal["set", "unchanged", "missing", "ambiguous", "failed"]


@dataclass(frozen=True, slots=True)
class FoundIds:
    """A billable's ids after the search; ``reason`` is why one is missing, or what is odd.

    ``known_now``: the id of the subscription was set by this search.
    """

    billable: str
    stripe_customer_id: str | None
    stripe_subscription_id: str | None
    found_by: FoundBy | None
    status: Status
    reason: str | None = None
    known_now: bool = False

    @property
    def in_words(self) -> str:
        """For stderr, after a command that was about something else."""
        ids = " and ".join(filter(None, (self.stripe_customer_id, self.stripe_subscription_id)))
        told = f"{self.billable} is {ids} at Stripe" if self.status == "set" else None
        return "; ".join(filter(None, (told, self.reason)))


class _ChangedMeanwhile(AimeterError):
    """Another process was quicker."""


def settle(
    database: Database, known: Known, seen: Seen, now: datetime, *, dry_run: bool
) -> FoundIds:
    """Set what is missing, in one transaction, unless somebody has set an id meanwhile."""
    try:
        with database.write(dry_run=dry_run) as session:
            return settle_in(session, known, seen, now)
    except Conflict as conflict:
        return refused(known, conflict)
    except (IntegrityError, _ChangedMeanwhile):
        reason = "an id has been set by somebody else meanwhile; the next run looks again"
        return unsettled(known, Unclear("failed", reason))


def unsettled(known: Known, seen: Unclear) -> FoundIds:
    return FoundIds(
        known.billable, known.customer, known.subscription, None, seen.status, seen.reason
    )


def refused(known: Known, conflict: Conflict) -> FoundIds:
    """What was found is somebody else's."""
    reason = f"{conflict.message}. {known.command} says otherwise"
    return unsettled(known, Unclear("ambiguous", reason))


def settle_in(session: Session, known: Known, seen: Seen, now: datetime) -> FoundIds:
    """Raises Conflict for an id that is another's; the caller then rolls back."""
    billable = billable_named(session, BillableRef.parse(known.billable), lock=True)
    row = session.get_one(Subscription, known.subscription_id)
    lock_subscription(session, row)
    if (billable.stripe_customer_id, row.stripe_subscription_id) != (
        known.customer,
        known.subscription,
    ):
        raise _ChangedMeanwhile("an id was set meanwhile")
    is_new = known.customer is None
    if is_new:
        set_customer(session, billable, seen.customer, option="customer", force=False, now=now)
    status: Status = "set" if is_new else "unchanged"
    if known.subscription is not None:
        wrong = _what_is_wrong(known, seen)
        return _found(known, seen, known.subscription, wrong.status if wrong else status, wrong)
    chosen = _choose(session, known, seen)
    if isinstance(chosen, Unclear):
        return _found(known, seen, None, status if is_new else chosen.status, chosen)
    set_subscription(session, row, chosen.id, now, force=False)
    return _found(known, seen, chosen.id, "set", None)


def _found(
    known: Known, seen: Seen, subscription: str | None, status: Status, unclear: Unclear | None
) -> FoundIds:
    return FoundIds(
        known.billable, seen.customer, subscription, seen.found_by, status,
        unclear.reason if unclear else None, subscription is not None and not known.subscription,
    )  # fmt: skip


def _choose(session: Session, known: Known, seen: Seen) -> StripeSubscription | Unclear:
    """The subscription to take; those that are another one's of ours do not count."""
    free, taken = _divided(session, seen.subscriptions)
    chosen = choose_subscription(free, known.prices)
    if isinstance(chosen, Ambiguous):
        return Unclear(
            "ambiguous",
            f"{seen.customer} has {len(chosen.ids)} active subscriptions that fit equally: "
            f"{in_words(chosen.ids)}. {known.command} --subscription {chosen.ids[0]} chooses one",
        )
    if chosen is not None:
        return chosen
    if taken:
        return Unclear(
            "ambiguous",
            f"of the subscriptions of {seen.customer} that go on, "
            + "; ".join(f"{each} is that of {owner}" for each, owner in taken.items()),
        )
    ended = "only ended subscriptions" if seen.subscriptions else "no subscription"
    return Unclear("missing", f"{seen.customer} has {ended} at Stripe")


def _divided(
    session: Session, subscriptions: Sequence[StripeSubscription]
) -> tuple[list[StripeSubscription], dict[str, str]]:
    """Those that nobody has here, and of the others that go on who has them."""
    free, taken = [], {}
    for each in subscriptions:
        found = None if each.is_terminal else find_by_stripe_id(session, each.id)
        if found is None:
            free.append(each)
        else:
            taken[each.id] = f"the subscription {found[0].id} of {found[1].ref}"
    return free, taken


def _what_is_wrong(known: Known, seen: Seen) -> Unclear | None:
    """Whether the stored subscription is one of the customer's, and goes on."""
    stored = next((each for each in seen.subscriptions if each.id == known.subscription), None)
    if stored is None:
        return Unclear(
            "ambiguous",
            f"{known.subscription} is no subscription of {seen.customer}. "
            f"{known.command} corrects one of the two",
        )
    if not stored.is_terminal:
        return None
    other = choose_subscription(seen.subscriptions, known.prices)
    if other is None:
        return Unclear(
            "missing",
            f"{stored.id} is {stored.status} at Stripe. "
            f"aimeter subscriptions reconcile {known.billable} shows what differs",
        )
    ids = other.ids if isinstance(other, Ambiguous) else (other.id,)
    return Unclear(
        "ambiguous",
        f"{stored.id} is {stored.status} at Stripe, and {in_words(ids)} goes on. "
        f"{known.command} --subscription {ids[0]} takes it",
    )
