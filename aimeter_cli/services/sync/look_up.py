"""Looking up what became of a request: an update by reading the item, a create by listing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from aimeter_cli.billing.base import BillingDriver, InvoicingDriver, ItemView, Reply
from aimeter_cli.db.clock import database_now
from aimeter_cli.domain.periods import iso
from aimeter_cli.domain.sync import Answer
from aimeter_cli.repositories.items import amounts_we_set, known_uids
from aimeter_cli.services.sync.claimed import Claim, Context
from aimeter_cli.services.sync.request import unix_hour_before
from aimeter_cli.services.sync.settle import is_of_before_a_restore


@dataclass(frozen=True, slots=True)
class Seen:
    """What came back, with the item that it is about. ``forgotten``: items of before a restore."""

    reply: Reply
    view: ItemView | None = None
    forgotten: Sequence[ItemView] = ()


class LookUp:
    """Stateless; shared by the threads of a run."""

    def __init__(self, context: Context, driver: BillingDriver) -> None:
        self._context = context
        self._driver = driver

    def look(self, claim: Claim) -> Seen:
        """What Stripe has of the version in flight."""
        if claim.kind == "update":
            return self._read(claim)
        return self._find_of_before(claim) if claim.is_stale else self._find(claim)

    def _read(self, claim: Claim) -> Seen:
        found = self._driver.read(str(claim.stripe_item_id))
        if isinstance(found, Reply):
            return Seen(found)
        return Seen(self._judge(claim, found), found)

    def _find(self, claim: Claim) -> Seen:
        since = unix_hour_before(claim.created_at)
        found = self._driver.find(claim.stripe_customer_id, claim.tag, since)
        if isinstance(found, Reply):
            return Seen(found)
        if not found:
            return Seen(absent(self._context, claim.unanswered_at))
        if len(found) > 1:
            return Seen(_duplicate(found))
        view = found[0]
        if _is_in_flight(claim, view):
            return Seen(Reply(Answer.APPLIED, view.item_id, view.amount_minor), view)
        return Seen(_changed(view), view)

    def _find_of_before(self, claim: Claim) -> Seen:
        """The same after a restore: anything that we made for this service period is ours."""
        if not isinstance(self._driver, InvoicingDriver):
            reason = "this driver cannot list what was made before the restore"
            return Seen(Reply(Answer.UNREADABLE, reason=reason))
        since = unix_hour_before(min(claim.created_at, claim.period_start))
        listed = self._driver.ours(self._context.install_id, since, claim.stripe_customer_id)
        if isinstance(listed, Reply):
            return Seen(listed)
        with self._context.database.read() as session:
            known = known_uids(session, claim.item_id)
        found = [view for view in listed if _is_for(claim, view) and view.uid not in known]
        if not found:
            return Seen(absent(self._context, claim.unanswered_at))
        if len([view for view in found if not view.is_closed]) > 1:
            return Seen(_duplicate(found))
        if len(found) == 1 and found[0].tag == claim.tag and _is_in_flight(claim, found[0]):
            view = found[0]
            return Seen(Reply(Answer.APPLIED, view.item_id, view.amount_minor), view)
        beside = absent(self._context, claim.unanswered_at)  # one of ours may be under way
        if beside.answer is Answer.ABSENT:
            return Seen(beside)
        return Seen(Reply(Answer.FORGOTTEN, reason="made before the restore"), forgotten=found)

    def _judge(self, claim: Claim, view: ItemView) -> Reply:
        """What an item that was read says about the version in flight."""
        if view.is_closed:
            return Reply(Answer.CLOSED, view.item_id, view.amount_minor)
        if _is_in_flight(claim, view):
            return Reply(Answer.APPLIED, view.item_id, view.amount_minor)
        with self._context.database.read() as session:
            ours = amounts_we_set(session, claim.item_id)
        foreign = (view.version, view.amount_minor) not in ours or view.version == claim.version
        is_later = is_of_before_a_restore(view, claim.confirmed_version, stale=claim.is_stale)
        if foreign and not claim.may_overwrite and not is_later:
            return _changed(view)
        return absent(self._context, claim.unanswered_at)


def absent(context: Context, unanswered_at: datetime | None) -> Reply:
    """Not there: believed once nothing that was sent can be under way any more."""
    if unanswered_at is None:
        return Reply(Answer.QUIET)
    with context.database.read() as session:
        now = database_now(session)
    if now >= unanswered_at + context.lease:
        return Reply(Answer.QUIET)
    return Reply(Answer.ABSENT, reason="not at Stripe yet; a request may still be under way")


def _is_in_flight(claim: Claim, view: ItemView) -> bool:
    return (view.version, view.amount_minor) == (claim.version, claim.target_minor)


def _changed(view: ItemView) -> Reply:
    reason = f"a person changed its amount to {view.amount_minor}"
    return Reply(Answer.CHANGED, view.item_id, view.amount_minor, reason)


def _duplicate(found: Sequence[ItemView]) -> Reply:
    ids = ", ".join(view.item_id for view in found)
    return Reply(Answer.DUPLICATE, reason=f"duplicate: {ids}")


def _is_for(claim: Claim, view: ItemView) -> bool:
    """Whether an item of ours is for the same billable, subscription, period and currency."""
    wanted = {
        "aimeter_billable": claim.billable,
        "aimeter_subscription": str(claim.subscription_id),
        "aimeter_period_start": iso(claim.period_start),
    }
    same = all(view.metadata.get(name, value) == value for name, value in wanted.items())
    return same and view.currency == claim.currency
