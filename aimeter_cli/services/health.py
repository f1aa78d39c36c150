"""All that tells how things stand, measured at once: for alerts and for monitors. Nothing is asked
of Stripe, and nothing reads history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from aimeter_cli.db.clock import database_now
from aimeter_cli.domain.rates import Rate
from aimeter_cli.models.rates import HeldRate
from aimeter_cli.repositories import inbox_state
from aimeter_cli.repositories.alerts import count_open
from aimeter_cli.repositories.deliveries import Backlog, backlog
from aimeter_cli.repositories.rates import held_rates, newest_rates
from aimeter_cli.services.jobs import last_run
from aimeter_cli.services.status import Status, status_of
from aimeter_cli.settings.table import Settings

PULL = "webhooks pull"
RECENT = timedelta(days=7)
"""So far back quarantined events count."""


@dataclass(frozen=True, slots=True)
class Inbox:
    """``linked`` live subscriptions are told of by Stripe. ``newest_at``: when an event came in
    last; ``pulled_at``: when Stripe was last asked for events. The rest are counts of events."""

    linked: int
    newest_at: datetime | None
    pulled_at: datetime | None
    failed: int
    received: int
    quarantined: int
    waiting: int

    @property
    def heard_at(self) -> datetime | None:
        """When an event came in, or a pull found that there was none."""
        return max(filter(None, (self.newest_at, self.pulled_at)), default=None)


@dataclass(frozen=True, slots=True)
class Health:
    """``outbox`` None: no sink is configured. ``open_alerts``: name, kind and how many. ``clock``:
    the time of the database."""

    status: Status
    inbox: Inbox
    outbox: Backlog | None
    rates: Sequence[Rate]
    held_rates: Sequence[HeldRate]
    open_alerts: Sequence[tuple[str, str, int]]
    now: datetime
    clock: datetime


def health(
    session: Session, settings: Settings, *, now: datetime, max_age: timedelta | None = None
) -> Health:
    """Within a transaction. ``now`` is business time; ``max_age`` as in the status."""
    return Health(
        status=status_of(session, settings, now=now, max_age=max_age),
        inbox=inbox(session, now),
        outbox=backlog(session) if settings.destinations else None,
        rates=newest_rates(session, now),
        held_rates=held_rates(session),
        open_alerts=count_open(session),
        now=now,
        clock=database_now(session),
    )


def inbox(session: Session, now: datetime) -> Inbox:
    due = inbox_state.unhandled(session)
    pull = last_run(session, PULL, succeeded=True)
    return Inbox(
        linked=inbox_state.linked(session),
        newest_at=inbox_state.newest_event(session),
        pulled_at=pull.finished_at if pull is not None else None,
        failed=due.get("failed", 0),
        received=due.get("received", 0),
        quarantined=inbox_state.quarantined_since(session, now - RECENT),
        waiting=inbox_state.waiting(session, now - RECENT)[0],
    )
