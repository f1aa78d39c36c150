"""Walks one claimed item through the transition table, until it is settled or given back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from aimeter_cli.billing.base import BillingDriver, ItemRequest, ItemView, Reply
from aimeter_cli.db.clock import steady
from aimeter_cli.domain.sync import Action, Answer, Move, Step, next_move
from aimeter_cli.services.sync import settle
from aimeter_cli.services.sync.claim import raise_generation
from aimeter_cli.services.sync.claimed import Accounted, Claim, Context
from aimeter_cli.services.sync.look_up import LookUp, Seen
from aimeter_cli.services.sync.restored import adopt
from aimeter_cli.signals import StopFlag

_attempts = logging.getLogger("aimeter")
_SHORT_WAIT = 5.0
"""Seconds that a rate-limited request waits inside the run instead of for the next one."""

_LEASE_LOST = Reply(Answer.LOST, reason="the lease was lost to another process")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a claim ended: synced, carried, failed, held, unknown, deferred or closed.

    ``tried``: something was asked of Stripe for it. ``misconfigured`` stops the run. ``moved``:
    overages that a closed item did not take, to be sent with the next sequence.
    """

    claim: Claim
    status: str
    reply: Reply | None = None
    tried: bool = True
    misconfigured: bool = False
    moved: tuple[int, ...] = ()
    note: str | None = None


class Engine:
    """Stateless between items; shared by the threads of a run."""

    def __init__(self, context: Context, driver: BillingDriver, stop: StopFlag) -> None:
        self._context = context
        self._driver = driver
        self._look_up = LookUp(context, driver)
        self._stop = stop

    def process(self, claim: Claim) -> Outcome:
        """Send and settle, or look up and settle, one claim."""
        step = claim.step
        while True:
            if self._stop.is_set() or steady() > claim.send_before:
                settle.release(self._context, claim, step)
                return Outcome(claim, "deferred", tried=False)
            seen = self._ask(claim, step)
            reply = seen.reply
            move = next_move(step, reply.answer)
            if move.action is Action.GO_ON:
                if move.step is Step.INSPECT:
                    return self._inspect(claim, reply)
                step = move.step
            elif move.action in (Action.RAISE, Action.ADOPT):
                renewed = self._renew(claim, move, seen)
                if renewed is None:
                    return Outcome(claim, "unknown", _LEASE_LOST)
                if isinstance(renewed, Accounted):
                    return Outcome(claim, renewed.status)
                claim, step = renewed, renewed.step
            elif not self._waits_here(claim, reply):
                return self._end(claim, move, reply, seen.view)

    def _renew(self, claim: Claim, move: Move, seen: Seen) -> Claim | Accounted | None:
        if move.action is Action.ADOPT:
            return adopt(self._context, claim, seen.forgotten)
        return raise_generation(self._context, claim)

    def _ask(self, claim: Claim, step: Step) -> Seen:
        if step in (Step.SEND, Step.PROVE):
            what, seen = claim.kind, Seen(self._send(claim))
        else:
            what, seen = step.value, self._look_up.look(claim)
        self._log(claim, what, seen.reply)
        return seen

    def _send(self, claim: Claim) -> Reply:
        kind: Literal["create", "update"] = "update" if claim.kind == "update" else "create"
        request = ItemRequest(
            kind, claim.params, claim.key, claim.stripe_item_id, claim.send_before
        )
        reply = self._driver.send(request)
        if reply.answer is Answer.DONE and reply.amount_minor != claim.target_minor:
            reason = f"Stripe answered with the amount {reply.amount_minor}"
            return Reply(Answer.KEY_MISMATCH, reply.item_id, reason=reason)
        if reply.answer is Answer.REFUSED and claim.draft_invoice_id is not None:
            settle.forget_draft(self._context, claim)
            return replace(reply, answer=Answer.NO_DRAFT)
        return reply

    def _log(self, claim: Claim, what: str, reply: Reply) -> None:
        """One line for each thing that was asked of Stripe, and what it said."""
        _attempts.info(
            "sync attempt",
            extra={
                "run_id": self._context.run_id, "billable": claim.billable, "request": what,
                "item": claim.tag, "stripe_invoice_item_id": reply.item_id or claim.stripe_item_id,
                "version": claim.version, "generation": claim.generation,
                "amount_minor": claim.target_minor, "currency": claim.currency,
                "answer": reply.answer.value, "error": reply.reason,
                "request_id": reply.request_id, "overages": list(claim.overage_ids),
            },
        )  # fmt: skip

    def _inspect(self, claim: Claim, refusal: Reply) -> Outcome:
        """A refused create has failed; a refused update is read to see why."""
        if claim.kind == "create":
            settle.settle_failed(self._context, claim, refusal)
            return Outcome(claim, "failed", refusal)
        seen = self._look_up.look(claim)
        move = next_move(Step.INSPECT, seen.reply.answer)
        reply = refusal if move.action is Action.FAIL else seen.reply
        return self._end(claim, move, reply, seen.view)

    def _waits_here(self, claim: Claim, reply: Reply) -> bool:
        """Whether a rate-limited request waits a moment and goes on within the lease."""
        if not reply.rate_limited or reply.answer not in (Answer.NOT_EXECUTED, Answer.UNREADABLE):
            return False
        pause = reply.retry_after if reply.retry_after is not None else 1.0
        if pause > _SHORT_WAIT or steady() + pause > claim.send_before:
            return False
        return not self._stop.wait(pause)

    def _end(self, claim: Claim, move: Move, reply: Reply, view: ItemView | None) -> Outcome:
        context = self._context
        if move.action is Action.SETTLE:
            status = settle.settle_done(context, claim, reply)
            return self._outcome(status is not None, claim, status or "unknown", reply)
        if move.action is Action.FAIL:
            settled = settle.settle_failed(context, claim, reply)
            return self._outcome(settled, claim, "failed", reply)
        if move.action is Action.HOLD:
            settled = settle.settle_held(context, claim, reply)
            return self._outcome(settled, claim, "held", reply)
        if move.action is Action.CLOSE and view is not None:
            closing = settle.settle_closed(context, claim, view)
            if closing is None:
                return Outcome(claim, "unknown", _LEASE_LOST)
            return Outcome(claim, closing.status, reply, moved=closing.moved, note=closing.note)
        if move.action is Action.STOP:
            settle.release(context, claim, claim.step)
            return Outcome(claim, "deferred", reply, misconfigured=True)
        settled = settle.settle_wait(context, claim, move, reply)
        known = claim.unanswered_at is None and not move.unanswered
        return self._outcome(settled, claim, "deferred" if known else "unknown", reply)

    def _outcome(self, settled: bool, claim: Claim, status: str, reply: Reply) -> Outcome:
        if not settled:
            return Outcome(claim, "unknown", _LEASE_LOST)
        return Outcome(claim, status, reply)


@dataclass(slots=True)
class Closings:
    """What reading idle items of past periods found. ``notes`` are to be told."""

    closed: int = 0
    held: int = 0
    notes: list[str] = field(default_factory=list)


def find_closings(
    context: Context,
    driver: BillingDriver,
    due: Sequence[tuple[int, int, str]],
    stopping: Callable[[], bool],
) -> Closings:
    """Close items whose invoice is finalised. ``due`` holds (item id, version, Stripe's id).

    One that cannot be read is looked at again in an hour, and holds up no other.
    """
    found = Closings()
    for item_id, version, stripe_item_id in due:
        if stopping():
            break
        reading = driver.read(stripe_item_id)
        closing = settle.settle_idle_item(context, item_id, version, reading)
        if closing is not None:
            found.closed += closing.status == "closed"
            found.held += closing.status == "held"
            found.notes += [closing.note] if closing.note else []
        if isinstance(reading, Reply) and reading.answer is not Answer.GONE:
            found.notes.append(f"{stripe_item_id} cannot be read: {reading.reason}")
            if reading.unreachable or reading.answer is Answer.MISCONFIGURED:
                break
    return found
