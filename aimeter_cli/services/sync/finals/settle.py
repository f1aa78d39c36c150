"""Settlements of final invoices, fenced by the lease token, as those of items are."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session

from aimeter_cli.billing.base import Reply
from aimeter_cli.db.clock import database_now, steady
from aimeter_cli.domain.sync import Move, Step
from aimeter_cli.models.final_invoices import PHASES
from aimeter_cli.repositories import final_invoices as repo
from aimeter_cli.repositories.items import set_item
from aimeter_cli.services.sync.claimed import Context
from aimeter_cli.services.sync.events import emit_failed
from aimeter_cli.services.sync.finals.claim import FinalClaim, begin_phase
from aimeter_cli.services.sync.settle import next_try

NOTHING_LEFT = "nothing_left"
_RELEASED = {"lease_token": None, "lease_expires_at": None}


def next_phase(context: Context, claim: FinalClaim, reply: Reply) -> FinalClaim | bool:
    """The phase is done. Returns the claim of the next one; True where there is none to begin now;
    False where the lease was lost."""
    started = steady()
    with context.write() as session:
        now = database_now(session)
        known = reply.invoice_id or claim.stripe_invoice_id
        facts = {"stripe_invoice_id": known, "attempts": 0, "reason": None, "updated_at": now}
        if claim.phase == PHASES[-1]:
            settled = repo.set_leased(
                session, claim.invoice_id, claim.token, **facts, **_RELEASED, status="done"
            )
        else:
            phase = PHASES[claim.version]  # the number of this phase is the index of the next
            settled = repo.set_leased(
                session, claim.invoice_id, claim.token, **facts, phase=phase, generation=0
            )
        if not settled:
            session.rollback()
            return False
        _answered(session, claim, "done", reply)
        if claim.phase == PHASES[-1]:
            return True
        return begin_phase(session, context, claim.invoice_id, started) or True


def drop_items(context: Context, claim: FinalClaim, elsewhere: dict[int, str | None]) -> bool:
    """Items that another invoice has taken, or that are gone, are none of this one's.

    ``elsewhere``: our id of each with Stripe's id of the other invoice. False: the lease was lost.
    """
    with context.write() as session:
        now = database_now(session)
        if not repo.set_leased(session, claim.invoice_id, claim.token, updated_at=now):
            session.rollback()
            return False
        for item_id, invoice in elsewhere.items():
            set_item(session, item_id, final_invoice_id=None, stripe_invoice_id=invoice)
        if not repo.items_of(session, claim.invoice_id):
            repo.set_invoice(
                session, claim.invoice_id, **_RELEASED, status="done", reason=NOTHING_LEFT,
                updated_at=now,
            )  # fmt: skip
        return True


def begin_again(context: Context, claim: FinalClaim) -> FinalClaim | None:
    """The key is spent without effect, or names lines that are gone: a new one. None: lease lost,
    or nothing left to invoice."""
    started = steady()
    with context.write() as session:
        if not repo.set_leased(session, claim.invoice_id, claim.token, unanswered_at=None):
            session.rollback()
            return None
        return begin_phase(session, context, claim.invoice_id, started)


def settle_wait(context: Context, claim: FinalClaim, move: Move, reply: Reply) -> bool:
    """Not done, and no person is needed: back off, then go on at the move's step.

    A step that was refused is looked up, and then made under a new key: the refusal may be stored
    under the old one.
    """
    step = Step.LOOK_UP if move.step is Step.CHECK else move.step
    with context.write() as session:
        now = database_now(session)
        tries = claim.attempts + (1 if move.costs else 0)
        unanswered = now if move.unanswered else claim.unanswered_at
        wait_until = next_try(context, reply, now, tries, unanswered)
        settled = repo.set_leased(
            session, claim.invoice_id, claim.token, **_RELEASED, status="unknown",
            step=step.value, not_before=wait_until, attempts=tries,
            unanswered_at=unanswered, reason=reply.reason, updated_at=now,
        )  # fmt: skip
        if settled:
            _answered(session, claim, reply.answer.value, reply)
            if move.costs and tries == context.settings.max_attempts:
                _tell(session, context, claim, reply.reason)
        return settled


def settle_stopped(context: Context, claim: FinalClaim, status: str, reply: Reply) -> bool:
    """``failed``: refused; ``held``: a person deleted the draft. An operator must act."""
    with context.write() as session:
        now = database_now(session)
        settled = repo.set_leased(
            session, claim.invoice_id, claim.token, **_RELEASED, status=status,
            step=Step.LOOK_UP.value, reason=reply.reason, attempts=claim.attempts + 1,
            updated_at=now,
        )  # fmt: skip
        if settled:
            _answered(session, claim, reply.answer.value, reply)
            _tell(session, context, claim, reply.reason)
        return settled


def release(context: Context, claim: FinalClaim, step: Step) -> None:
    """Give a claim back untried: too late to send within the lease, or the run is stopping."""
    with context.write() as session:
        now = database_now(session)
        repo.set_leased(
            session, claim.invoice_id, claim.token, **_RELEASED, status="unknown",
            step=step.value, not_before=now, updated_at=now,
        )  # fmt: skip


def _answered(session: Session, claim: FinalClaim, outcome: str, reply: Reply) -> None:
    repo.set_attempt(
        session, claim.invoice_id, claim.version, claim.generation, outcome=outcome,
        request_id=reply.request_id, error=reply.reason,
    )  # fmt: skip


def _tell(session: Session, context: Context, claim: FinalClaim, reason: str | None) -> None:
    overages: Sequence[int] = claim.overage_ids
    emit_failed(session, context, claim.billable_id, overages, reason)
