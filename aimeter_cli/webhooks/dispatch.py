"""The second half of the inbox: one event through its handler, with its status, all or nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import DataError, IntegrityError
from sqlmodel import Session

from aimeter_cli.domain.stripe_events import StripeEvent
from aimeter_cli.errors import AimeterError
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.installation import Installation
from aimeter_cli.repositories.outbox import savepoint
from aimeter_cli.repositories.webhook_events import set_outcome
from aimeter_cli.settings.table import Settings
from aimeter_cli.webhooks.asking import Asked
from aimeter_cli.webhooks.handling import Handling, PriceBook, UnknownSubscription
from aimeter_cli.webhooks.registry import HANDLERS
from aimeter_cli.webhooks.results import Change, EventResult, Outcome
from aimeter_cli.webhooks.storing import Arrival, Standing
from aimeter_cli.webhooks.subscriptions import CLOSING_INVOICES, catch_up

_installation = table_of(Installation)

LIVE_KEYS = ("sk_live_", "rk_live_")
_DONE = ("processed", "stale")
_PAYLOAD_FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What a payload of an unforeseen shape may raise in a handler."""


def settled_result(arrival: Arrival, standing: Standing, *, force: bool) -> EventResult | None:
    """The result of an event that needs no handling; None: it must be handled, or once more.

    ``failed`` and ``received`` ones are always due, ``ignored`` ones as soon as there is a handler.
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
    """Handles events one after the other in one transaction, each in a savepoint of its own."""

    def __init__(self, session: Session, settings: Settings, now: datetime, asked: Asked) -> None:
        self.known: set[str] = set()
        """The Stripe ids of the subscriptions that the events were found to be of."""
        self._asked = asked
        self._session = session
        self._settings = settings
        self._now = now
        self._prices = PriceBook(session)
        self._livemode = _mode(session, settings)

    def handle(self, arrival: Arrival, standing: Standing) -> tuple[EventResult, Standing]:
        """The event's effect and its status, committed together; and where it stands now.

        Raises MustAsk, having done nothing, where Stripe must be asked first.
        """
        try:
            with savepoint(self._session):
                outcome, changes = self._run(arrival.event, standing)
                after = self._mark(standing, outcome)
        except (IntegrityError, DataError) as error:
            outcome = Outcome("failed", f"the database refuses it: {type(error.orig).__name__}")
        except AimeterError as error:
            outcome = Outcome("failed", error.message)
        except _PAYLOAD_FAULTS as error:
            outcome = Outcome("failed", f"its payload has an unknown shape: {_place(error)}")
        else:
            result = self._result(arrival, outcome, changes)
            return replace(result, is_known=after is standing), after
        return self._result(arrival, outcome, ()), self._mark(standing, outcome)

    def _run(self, event: StripeEvent, standing: Standing) -> tuple[Outcome, tuple[Change, ...]]:
        if self._livemode is not None and event.livemode != self._livemode:
            modes = ("test", "live")
            theirs, ours = modes[event.livemode], modes[self._livemode]
            return Outcome("failed", f"a {theirs}-mode event in a {ours}-mode installation"), ()
        handler = HANDLERS.get(event.type)
        if handler is None:
            return Outcome("ignored"), ()
        handling = Handling(
            self._session,
            self._settings,
            event,
            self._prices,
            now=self._now,
            was_handled=standing.status in _DONE,
            asked=self._asked,
        )
        try:
            if event.type in CLOSING_INVOICES:
                catch_up(handling)
            outcome = handler(handling)
        except UnknownSubscription as unknown:
            return Outcome("ignored", str(unknown), waits_for=unknown.stripe_id), ()
        finally:
            self.known |= handling.known
        told = [outcome.error] if outcome.error else []
        notice = "; ".join(told + handling.notices) or None
        return replace(outcome, error=notice), tuple(handling.changes)

    def _mark(self, standing: Standing, outcome: Outcome) -> Standing:
        status, error = outcome.status, outcome.error
        if status == "ignored" and (standing.status, standing.error) == (status, error):
            return standing  # still unknown: nothing has changed
        after = replace(standing, status=status, error=error, attempts=standing.attempts + 1)
        set_outcome(
            self._session,
            after.row_id,
            status=status,
            error=error,
            attempts=after.attempts,
            now=self._now,
            waits_for=outcome.waits_for,
        )
        return after

    @staticmethod
    def _result(arrival: Arrival, outcome: Outcome, changes: tuple[Change, ...]) -> EventResult:
        source, event = arrival.incoming.source, arrival.event
        return EventResult(
            source, event.id, event.type, outcome.status, changes, outcome.error, outcome.follow_up
        )


def _mode(session: Session, settings: Settings) -> bool | None:
    """Live or test, as the rows were made, else as the key is; None where nothing tells."""
    told: bool | None = (
        session.connection().execute(select(_installation.c.stripe_livemode)).scalar()
    )
    key = settings.stripe_api_key
    if told is None and key:
        return key.startswith(LIVE_KEYS)
    return told


def _place(error: BaseException) -> str:
    """Where it happened, not what: the message of such an error may quote the payload."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    name = trace.tb_frame.f_code.co_name if trace is not None else "?"
    return f"{type(error).__name__} in {name}"
