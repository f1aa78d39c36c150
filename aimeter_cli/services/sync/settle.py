"""Settlements: short transactions that write down what Stripe answered, fenced by the lease token.

Each returns whether the lease was still ours; if not, another process has taken the item over, and
what it finds out counts.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, RowMapping, bindparam, select, update
from sqlmodel import Session

from aimeter_cli.billing.base import ItemView, Reply
from aimeter_cli.db.clock import database_now
from aimeter_cli.domain.currency import minor_unit
from aimeter_cli.domain.money import Money, from_nanos, minor_to_nanos
from aimeter_cli.domain.sync import Answer, Move, Step, backoff
from aimeter_cli.models.billables import Billable
from aimeter_cli.repositories import items as repo
from aimeter_cli.repositories import payers
from aimeter_cli.services.sync.claimed import Claim, Context
from aimeter_cli.services.sync.events import emit_charged, emit_failed
from aimeter_cli.services.sync.target import closed_empty

overages = repo.overages
CHANGED = "changed_at_stripe"
DELETED = "deleted_at_stripe"
DIFFERENCE = "difference_carried"
EXTERNAL = "marked_as_external"
UNPAID = "ended_unpaid"
_EXTERNAL = select(overages.c.id).where(overages.c.external_item_id == bindparam("item")).limit(1)
_RELEASED = {"lease_token": None, "lease_expires_at": None}
_CLOSING_CHECK = timedelta(hours=1)


def settle_done(context: Context, claim: Claim, reply: Reply) -> str | None:
    """Stripe has our amount: the item and its overages are ``synced``.

    ``held`` where an operator has said of this very item that it was made by hand. None: the
    lease was lost.
    """
    with context.write() as session:
        now = database_now(session)
        if claim.stripe_item_id is None and _is_external(session, reply.item_id):
            held = _hold_item(session, context, claim, reply, EXTERNAL, everything=False)
            return "held" if held else None
        settled = repo.set_leased(
            session, claim.item_id, claim.token, **_RELEASED, status="idle", step=Step.SEND.value,
            stripe_item_id=reply.item_id, confirmed_minor=claim.target_minor,
            confirmed_version=claim.version, attempts=0, unanswered_at=None, reason=None,
            updated_at=now, check_after=now + _CLOSING_CHECK, may_overwrite=False, is_stale=False,
        )  # fmt: skip
        if settled:
            if not claim.target_minor:
                _close_empty(session, claim.item_id)
            tries = claim.attempts + 1
            charged = repo.mark_done(session, claim.item_id, claim.version, now, tries)
            _answered(session, claim, "done", reply)
            emit_charged(session, context, claim, reply, charged)
        return "synced" if settled else None


def next_try(
    context: Context, reply: Reply, now: datetime, tries: int, unanswered: datetime | None
) -> datetime:
    """When to go on: after the quiet time where that is waited for, else after a back-off."""
    if reply.answer is Answer.ABSENT and unanswered is not None:
        return unanswered + context.lease
    jitter = random.uniform(0.5, 1.5)  # noqa: S311 - spreads retries, protects nothing
    return now + max(backoff(tries, jitter), timedelta(seconds=reply.retry_after or 0))


def settle_wait(context: Context, claim: Claim, move: Move, reply: Reply) -> bool:
    """Not done, and no person is needed: back off, then go on at the move's step."""
    with context.write() as session:
        now = database_now(session)
        tries = claim.attempts + (1 if move.costs else 0)
        unanswered = now if move.unanswered else claim.unanswered_at
        wait_until = next_try(context, reply, now, tries, unanswered)
        settled = repo.set_leased(
            session, claim.item_id, claim.token, **_RELEASED, status="unknown",
            step=move.step.value, not_before=wait_until, attempts=tries,
            unanswered_at=unanswered, reason=reply.reason, updated_at=now,
        )  # fmt: skip
        if settled:
            known = unanswered is None
            repo.set_in_flight(
                session, claim.item_id, claim.version, status="frozen" if known else "unknown",
                attempts=tries, last_error=reply.reason, updated_at=now,
            )  # fmt: skip
            _answered(session, claim, reply.answer.value, reply)
            if move.costs and tries == context.settings.max_attempts:
                emit_failed(session, context, claim.billable_id, claim.overage_ids, reply.reason)
        return settled


def release(context: Context, claim: Claim, step: Step) -> bool:
    """Give a claim back untried: too late to send within the lease, or the run is stopping."""
    with context.write() as session:
        now = database_now(session)
        settled = repo.set_leased(
            session, claim.item_id, claim.token, **_RELEASED, status="unknown", step=step.value,
            not_before=now, unanswered_at=claim.unanswered_at, updated_at=now,
        )  # fmt: skip
        if settled and claim.unanswered_at is not None:
            repo.set_in_flight(session, claim.item_id, claim.version, status="unknown")
        return settled


def forget_draft(context: Context, claim: Claim) -> None:
    """The draft that the claim's request names takes no items: none is sent to it any more."""
    with context.write() as session:
        payers.forget_draft(session, claim.subscription_id, claim.params["invoice"])


def settle_failed(context: Context, claim: Claim, reply: Reply) -> bool:
    """Refused: nothing is tried again before ``overages retry``, which looks up first."""
    with context.write() as session:
        now = database_now(session)
        settled = repo.set_leased(
            session, claim.item_id, claim.token, **_RELEASED, status="failed",
            step=Step.LOOK_UP.value, reason=reply.reason, attempts=claim.attempts + 1,
            unanswered_at=claim.unanswered_at, updated_at=now,
        )  # fmt: skip
        if settled:
            repo.set_in_flight(
                session, claim.item_id, claim.version, status="failed",
                attempts=claim.attempts + 1, last_error=reply.reason, updated_at=now,
            )  # fmt: skip
            _answered(session, claim, reply.answer.value, reply)
            emit_failed(session, context, claim.billable_id, claim.overage_ids, reply.reason)
        return settled


def settle_held(context: Context, claim: Claim, reply: Reply) -> bool:
    """A person deleted the item or changed its amount: never recreated or overwritten silently."""
    deleted = reply.answer is Answer.GONE
    reason = DELETED if deleted else CHANGED
    with context.write() as session:
        return _hold_item(session, context, claim, reply, reason, everything=deleted)


def _hold_item(
    session: Session, context: Context, claim: Claim, reply: Reply, reason: str, *, everything: bool
) -> bool:
    now = database_now(session)
    settled = repo.set_leased(
        session, claim.item_id, claim.token, **_RELEASED, status="held", reason=reason,
        step=Step.LOOK_UP.value, stripe_item_id=claim.stripe_item_id or reply.item_id,
        updated_at=now,
    )  # fmt: skip
    if settled:
        _hold(session, claim.item_id, claim.version, now, reason, everything=everything)
        _answered(session, claim, reply.answer.value, reply)
        emit_failed(session, context, claim.billable_id, claim.overage_ids, reason)
    return settled


def _is_external(session: Session, item_id: str | None) -> bool:
    return session.connection().execute(_EXTERNAL, {"item": item_id}).first() is not None


def _close_empty(session: Session, item_id: int) -> None:
    ended = closed_empty(repo.item_by_id(session, item_id))
    if ended:
        repo.set_item(session, item_id, **ended)


@dataclass(frozen=True, slots=True)
class Closing:
    """How an item ended: ``closed``, or ``held`` because a person had set its amount.

    ``moved``: overages that it did not take, to be sent with the next sequence. ``note``: what an
    operator should know of its final amount.
    """

    status: str
    moved: tuple[int, ...] = ()
    note: str | None = None


def settle_closed(context: Context, claim: Claim, view: ItemView) -> Closing | None:
    """The invoice is finalised: keep what made it there, move the rest to the next sequence.

    None: the lease was lost.
    """
    with context.write() as session:
        now = database_now(session)
        if not repo.set_leased(session, claim.item_id, claim.token, updated_at=now):
            return None
        closing = _close(session, repo.item_by_id(session, claim.item_id), view, now)
        reply = Reply(Answer.CLOSED, view.item_id, request_id=view.request_id)
        _answered(session, claim, reply.answer.value, reply)
        if closing.status == "held":
            emit_failed(session, context, claim.billable_id, claim.overage_ids, CHANGED)
        return closing


def settle_idle_item(
    context: Context, item_id: int, version: int, found: ItemView | Reply
) -> Closing | None:
    """What reading an idle item showed: close it, hold it, or look again in an hour.

    None where nothing changed; nothing is done if the item was claimed meanwhile.
    """
    with context.write() as session:
        item = repo.lock_item(session, item_id, "idle")
        now = database_now(session)
        if item is None or item["version"] != version:
            return None
        if isinstance(found, ItemView) and found.is_closed:
            closing, reason = _close(session, item, found, now), CHANGED
        elif _is_lost(session, item, found):
            hold_deleted(session, item, now)
            closing, reason = Closing("held"), DELETED
        else:
            repo.set_item(session, item_id, check_after=now + _CLOSING_CHECK)
            return None
        if closing.status == "held":
            emit_failed(session, context, item["billable_id"], (), reason)
        return closing


def _is_lost(session: Session, item: RowMapping, found: ItemView | Reply) -> bool:
    """Whether no invoice will ever take it: it is gone, or pending for a customer who is."""
    if isinstance(found, Reply):
        return found.answer is Answer.GONE
    if found.invoice_id is not None or item["is_leaving"] or item["final_invoice_id"] is not None:
        return False
    customer = session.get_one(Billable, item["billable_id"]).stripe_customer_id
    return item["stripe_customer_id"] not in (None, customer)


def hold_deleted(session: Session, item: RowMapping, now: datetime) -> None:
    """A person deleted a settled item, which this transaction has locked."""
    repo.set_item(session, item["id"], status="held", reason=DELETED, updated_at=now)
    _hold(session, item["id"], item["version"], now, DELETED, everything=True)


def _close(session: Session, item: RowMapping, view: ItemView, now: datetime) -> Closing:
    """Close an item at its final amount; the difference is carried to the next item.

    An amount that we never set is a person's doing: nothing is carried then, and what had not
    arrived yet is held.
    """
    final, version = view.amount_minor, item["version"]
    ours = (view.version, final) in repo.amounts_we_set(session, item["id"])
    ours = ours or is_of_before_a_restore(view, item["confirmed_version"], stale=item["is_stale"])
    pending = item["confirmed_version"] < version
    applied = pending and view.version == version and ours
    moved: list[int] = []
    if pending and not applied:
        moved = repo.in_flight(session, item["id"], version)
        status, reason = ("frozen", None) if ours else ("held", CHANGED)
        repo.set_in_flight(
            session, item["id"], version, status=status, reason=reason, last_error=reason,
            item_id=None, in_version=None, updated_at=now,
        )  # fmt: skip
        repo.return_carry(session, item["id"], version)
    confirmed = {"confirmed_version": version, "confirmed_minor": final} if applied else {}
    _mark_synced(session, item["id"], now, with_unpaid=True)
    rest = repo.item_total(session, item["id"]) - minor_to_nanos(final, item["currency"])
    is_usual = 0 <= rest < minor_unit(item["currency"]).step_nanos
    reason = CHANGED if not ours else None if is_usual else DIFFERENCE
    repo.set_item(
        session, item["id"], **_RELEASED, **confirmed, status="closed", is_dirty=False,
        final_minor=final, carry_out=from_nanos(rest if ours else 0), reason=reason,
        stripe_invoice_id=view.invoice_id, unanswered_at=None, updated_at=now,
    )  # fmt: skip
    if not ours:
        return Closing("held")
    note = None
    if not is_usual:
        note = (
            f"{view.item_id} was closed with a difference: "
            f"{Money.of_nanos(rest, item['currency'])} goes to the customer's next item; "
            "if none will come, that is for a credit note or an invoice at Stripe"
        )
    return Closing("closed", tuple(moved), note)


def is_of_before_a_restore(view: ItemView, known_version: int, *, stale: bool) -> bool:
    """Whether we set an amount at Stripe after the backup was made that this database came from."""
    return stale and view.version is not None and view.version > known_version


def _mark_synced(
    session: Session, item_id: int, now: datetime, *, with_unpaid: bool = False
) -> None:
    chosen: ColumnElement[bool] = overages.c.status.in_(repo.TO_BE_SYNCED)
    if with_unpaid:  # an invoice has taken what was held on it
        chosen |= (overages.c.status == "held") & (overages.c.reason == UNPAID)
    session.connection().execute(
        update(overages)
        .where(overages.c.item_id == item_id, chosen)
        .values(status="synced", synced_at=now, last_error=None, updated_at=now)
    )


def _hold(
    session: Session, item_id: int, version: int, now: datetime, reason: str, *, everything: bool
) -> None:
    """The overages of a held item; those confirmed before stay synced unless it was deleted."""
    statement = update(overages).where(overages.c.item_id == item_id, overages.c.status != "waived")
    if not everything:
        statement = statement.where(overages.c.in_version == version, overages.c.status != "synced")
    session.connection().execute(
        statement.values(status="held", reason=reason, last_error=reason, updated_at=now)
    )


def _answered(session: Session, claim: Claim, outcome: str, reply: Reply) -> None:
    repo.set_attempt(
        session, claim.item_id, claim.version, claim.generation, outcome=outcome,
        request_id=reply.request_id, error=reply.reason,
    )  # fmt: skip
