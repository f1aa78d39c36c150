"""Walks final invoices through the transition table, phase by phase, until each is finalised."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from aimeter_cli.billing.base import InvoiceRequest, InvoicingDriver, ItemView, Reply
from aimeter_cli.db.clock import database_now, steady
from aimeter_cli.domain.sync import Action, Answer, Move, Step, next_move
from aimeter_cli.repositories import final_invoices as repo
from aimeter_cli.repositories.items import item_by_id
from aimeter_cli.services.sync.claimed import Context
from aimeter_cli.services.sync.engine import Closings, find_closings
from aimeter_cli.services.sync.finals import settle
from aimeter_cli.services.sync.finals.claim import FinalClaim, claim_due, claim_new
from aimeter_cli.services.sync.look_up import absent
from aimeter_cli.services.sync.request import unix_hour_before
from aimeter_cli.services.sync.settle import settle_idle_item

_log = logging.getLogger("aimeter")
_LEASE_LOST = Reply(Answer.LOST, reason="the lease was lost to another process")


@dataclass(frozen=True, slots=True)
class FinalOutcome:
    """How a final invoice stands: done, unknown, deferred, failed or held."""

    claim: FinalClaim
    status: str
    reply: Reply | None = None
    closings: Closings = field(default_factory=Closings)
    misconfigured: bool = False


class FinalInvoices:
    """Makes every final invoice that is due, one after the other."""

    def __init__(
        self, context: Context, driver: InvoicingDriver, stopping: Callable[[], bool]
    ) -> None:
        self._context = context
        self._driver = driver
        self._stopping = stopping

    def run(
        self, billable_id: int | None, *, retry_now: bool, tell: Callable[[FinalOutcome], None]
    ) -> None:
        """``tell`` is called for each that was claimed."""
        with self._context.database.read() as session:
            clock = database_now(session)
            due = repo.due_ids(session, clock, retry_now=retry_now, billable_id=billable_id)
            fresh = repo.uninvoiced(session, self._context.now, billable_id)
        claims: list[Callable[[], FinalClaim | None]] = [
            *(lambda i=i: claim_due(self._context, i, retry_now=retry_now) for i in due),
            *(lambda what=what: claim_new(self._context, what) for what in fresh),
        ]
        for make in claims:
            if self._stopping():
                return
            claim = make()
            if claim is not None:
                tell(self._process(claim))

    def preview(self, billable_id: int | None) -> Iterator[FinalClaim]:
        """Those that a dry run would begin."""
        with self._context.database.read() as session:
            fresh = repo.uninvoiced(session, self._context.now, billable_id)
        for what in fresh:
            claim = claim_new(self._context, what)
            if claim is not None:
                yield claim

    def _process(self, claim: FinalClaim) -> FinalOutcome:
        step, refusal = claim.step, None
        while True:
            if self._stopping() or steady() > claim.send_before:
                settle.release(self._context, claim, step)
                return FinalOutcome(claim, "deferred")
            reply, elsewhere = self._ask(claim, step)
            move = next_move(step, reply.answer)
            if elsewhere:
                settle.drop_items(self._context, claim, elsewhere)
            if elsewhere or move.action is Action.RAISE:
                again = settle.begin_again(self._context, claim)
                if again is None:  # nothing is left to invoice, an amount changes, or lease lost
                    return FinalOutcome(claim, "deferred")
                claim, step = again, again.step
            elif move.action is Action.GO_ON:
                step, refusal = move.step, reply
            elif move.action in (Action.SETTLE, Action.CLOSE):
                went_on = settle.next_phase(self._context, claim, reply)
                if isinstance(went_on, bool):
                    return self._ended(claim, reply, is_ours=went_on)
                claim, step = went_on, went_on.step
            else:
                failed = move.action is Action.FAIL and refusal is not None
                return self._stopped(claim, move, refusal if failed and refusal else reply)

    def _ask(self, claim: FinalClaim, step: Step) -> tuple[Reply, dict[int, str | None]]:
        """The answer, and which items were found on other invoices."""
        elsewhere: dict[int, str | None] = {}
        what: str = step.value
        if step in (Step.SEND, Step.PROVE):
            what = claim.phase
            reply = self._driver.send_invoice(
                InvoiceRequest(
                    claim.phase, claim.params, claim.key, claim.stripe_invoice_id, claim.send_before
                )
            )
        else:
            reply = self._look(claim, elsewhere)
        self._log(claim, what, reply)
        return reply, elsewhere

    def _look(self, claim: FinalClaim, elsewhere: dict[int, str | None]) -> Reply:
        if claim.phase == "create_invoice":
            return self._find(claim)
        if claim.phase == "add_lines":
            return self._read_lines(claim, elsewhere)
        found = self._driver.read_invoice(str(claim.stripe_invoice_id))
        if isinstance(found, Reply):
            return found
        return (
            Reply(Answer.APPLIED) if found.is_closed else absent(self._context, claim.unanswered_at)
        )

    def _find(self, claim: FinalClaim) -> Reply:
        since = unix_hour_before(claim.created_at)
        found = self._driver.find_invoices(claim.stripe_customer_id, claim.tag, since)
        if isinstance(found, Reply):
            return found
        if not found:
            return absent(self._context, claim.unanswered_at)
        if len(found) > 1:
            ids = ", ".join(view.invoice_id for view in found)
            return Reply(Answer.DUPLICATE, reason=f"duplicate: {ids}")
        return Reply(Answer.APPLIED, invoice_id=found[0].invoice_id)

    def _read_lines(self, claim: FinalClaim, elsewhere: dict[int, str | None]) -> Reply:
        """Where each item is: on our draft, on none, or on another's, which settles it."""
        draft = self._driver.read_invoice(str(claim.stripe_invoice_id))
        if isinstance(draft, Reply):
            return draft
        waiting = False
        for item_id, stripe_item_id in claim.items:
            found = self._driver.read(stripe_item_id)
            if isinstance(found, Reply) and found.answer is not Answer.GONE:
                return found
            if isinstance(found, ItemView) and found.invoice_id == claim.stripe_invoice_id:
                continue
            if isinstance(found, ItemView) and found.invoice_id is None:
                waiting = True
                continue
            if isinstance(found, ItemView) and not found.is_closed:
                told = f"{stripe_item_id} is on the draft {found.invoice_id}: finalise or delete it"
                return Reply(Answer.UNREADABLE, reason=told)
            self._settle_item(item_id, found)
            elsewhere[item_id] = found.invoice_id
        if waiting and draft.is_closed:
            return Reply(Answer.GONE, reason=f"{claim.stripe_invoice_id} was finalised by a person")
        return (
            absent(self._context, claim.unanswered_at)
            if waiting or elsewhere
            else Reply(Answer.APPLIED)
        )

    def _settle_item(self, item_id: int, found: ItemView | Reply) -> None:
        """Close an item that somebody else has invoiced, hold one that was deleted."""
        with self._context.database.read() as session:
            version = item_by_id(session, item_id)["version"]
        settle_idle_item(self._context, item_id, version, found)

    def _ended(self, claim: FinalClaim, reply: Reply, *, is_ours: bool) -> FinalOutcome:
        """Finalised, so that its items can be closed; or waiting for an item to be settled."""
        if not is_ours:
            return FinalOutcome(claim, "unknown", _LEASE_LOST)
        with self._context.database.read() as session:
            if repo.invoice_by_id(session, claim.invoice_id)["status"] != "done":
                return FinalOutcome(claim, "deferred", reply)
            due = [
                (item["id"], item["version"], item["stripe_item_id"])
                for item in repo.items_of(session, claim.invoice_id)
                if item["status"] == "idle"
            ]
        closings = find_closings(self._context, self._driver, due, self._stopping)
        return FinalOutcome(claim, "done", reply, closings)

    def _stopped(self, claim: FinalClaim, move: Move, reply: Reply) -> FinalOutcome:
        if move.action in (Action.FAIL, Action.HOLD):
            status = "failed" if move.action is Action.FAIL else "held"
            settled = settle.settle_stopped(self._context, claim, status, reply)
        elif move.action is Action.STOP:
            settle.release(self._context, claim, claim.step)
            return FinalOutcome(claim, "deferred", reply, misconfigured=True)
        else:
            status = "unknown"
            settled = settle.settle_wait(self._context, claim, move, reply)
        return FinalOutcome(claim, status if settled else "unknown", reply)

    def _log(self, claim: FinalClaim, what: str, reply: Reply) -> None:
        _log.info(
            "sync attempt",
            extra={
                "run_id": self._context.run_id, "billable": claim.billable, "request": what,
                "final_invoice": claim.tag, "amount_minor": claim.amount_minor,
                "stripe_invoice_id": reply.invoice_id or claim.stripe_invoice_id,
                "phase": claim.phase, "generation": claim.generation, "currency": claim.currency,
                "answer": reply.answer.value, "error": reply.reason,
                "request_id": reply.request_id, "overages": list(claim.overage_ids),
            },
        )  # fmt: skip
