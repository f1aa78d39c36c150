"""The second half of the inbox: one event through its handler, with its status, all or nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy.exc import DataError, IntegrityError
from sqlmodel import Session

from aimeter_cli.domain.stripe_events import StripeEvent
from aimeter_cli.errors import AimeterError
from aimeter_cli.repositories.webhook_events import EventOutcome
from aimeter_cli.settings.table import Settings
from aimeter_cli.webhooks.asking import Asked
from aimeter_cli.webhooks.handling import Handling, UnknownSubscription
from aimeter_cli.webhooks.mode import mode_of, settle_mode
from aimeter_cli.webhooks.registry import HANDLERS, Handler
from aimeter_cli.webhooks.results import Change, EventResult, Outcome
from aimeter_cli.webhooks.storing import Arrival, Standing
from aimeter_cli.webhooks.subscriptions import CLOSING_INVOICES, catch_up
from aimeter_cli.webhooks.transaction import Transaction

_DONE = ("processed", "stale")
_UNCHANGED = ("ignored", "quarantined")
"""Said once more, for the same reason, they change nothing."""
_PAYLOAD_FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What a payload of an unforeseen shape may raise in a handler."""


def settled_result(arrival: Arrival, standing: Standing, *, force: bool) -> EventResult | None:
    """The result of an event that needs no handling; None: it must be handled, or once more.

    ``failed`` and ``received`` ones are always due, and those quarantined for their mode;
    ``ignored`` ones as soon as there is a handler.
    """
    event, source = arrival.event, arrival.incoming.source
    if standing.status == "ignored" and event.type not in HANDLERS:
        return EventResult(
            source, event.id, event.type, "ignored", error=standing.error, is_known=True
        )
    if standing.status in _DONE and not force:
        return EventResult(source, event.id, event.type, "duplicate", is_known=True)
    return None


class Dispatcher:
    """Handles events one after the other in one transaction, each in a savepoint of its own.

    Call ``end`` after the last one: it writes what became of them.
    """

    def __init__(self, session: Session, settings: Settings, now: datetime, asked: Asked) -> None:
        self.known: set[str] = set()
        """The Stripe ids of the subscriptions and customers that the events were found to be of."""
        self._transaction = Transaction(session, settings, now, asked)
        self._livemode: bool | None = None

    def end(self) -> None:
        self._transaction.write_outcomes()

    def handle(self, arrival: Arrival, standing: Standing) -> tuple[EventResult, Standing]:
        """The event's effect and its status, committed together; and where it stands now.

        Raises MustAsk, having done nothing, where Stripe must be asked first.
        """
        outcome, changes = self._outcome(arrival.event, standing)
        after = self._mark(arrival.event, standing, outcome)
        event, is_known = arrival.event, after is standing
        result = EventResult(
            arrival.incoming.source, event.id, event.type, outcome.status, changes, outcome.error,
            outcome.follow_up, is_known,
        )  # fmt: skip
        return result, after

    def _outcome(
        self, event: StripeEvent, standing: Standing
    ) -> tuple[Outcome, tuple[Change, ...]]:
        if self._livemode is None:
            self._livemode = mode_of(self._transaction)
        if self._livemode is not None and event.livemode != self._livemode:
            modes = ("test", "live")
            theirs, ours = modes[event.livemode], modes[self._livemode]
            reason = f"a {theirs}-mode event in a {ours}-mode installation"
            return Outcome("quarantined", reason), ()
        handler = HANDLERS.get(event.type)
        if handler is None:
            return Outcome("ignored"), ()
        try:
            with self._transaction.attempt():
                outcome, changes = self._run(handler, event, standing)
                if self._livemode is None and outcome.status == "processed":
                    settle_mode(self._transaction, event)
                return outcome, changes
        except (IntegrityError, DataError) as error:
            outcome = Outcome("failed", f"the database refuses it: {type(error.orig).__name__}")
        except AimeterError as error:
            outcome = Outcome("failed", error.message)
        except _PAYLOAD_FAULTS as error:
            outcome = Outcome("failed", f"its payload has an unknown shape: {_place(error)}")
        return outcome, ()

    def _run(
        self, handler: Handler, event: StripeEvent, standing: Standing
    ) -> tuple[Outcome, tuple[Change, ...]]:
        handling = Handling(self._transaction, event, was_handled=standing.status in _DONE)
        try:
            if event.type in CLOSING_INVOICES:
                catch_up(handling)
            outcome = handler(handling)
        except UnknownSubscription as unknown:
            return Outcome("ignored", str(unknown), waits_for=unknown.stripe_id), ()
        finally:
            self.known |= handling.known
        if handling.notices:
            told = [outcome.error] if outcome.error else []
            outcome = replace(outcome, error="; ".join(told + handling.notices))
        return outcome, tuple(handling.changes)

    def _mark(self, event: StripeEvent, standing: Standing, outcome: Outcome) -> Standing:
        status, error = outcome.status, outcome.error
        if status in _UNCHANGED and (standing.status, standing.error) == (status, error):
            return standing
        after = Standing(standing.row_id, status, error, standing.attempts + 1)
        self._transaction.end(
            EventOutcome(
                after.row_id, event.object_id, status, error, after.attempts, outcome.waits_for
            )
        )
        return after


def _place(error: BaseException) -> str:
    """Where it happened, not what: the message of such an error may quote the payload."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    name = trace.tb_frame.f_code.co_name if trace is not None else "?"
    return f"{type(error).__name__} in {name}"
