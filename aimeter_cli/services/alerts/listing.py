"""Alerts as people read them; and one that is sent to see whether it arrives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.alerts import DETAIL, HINT
from aimeter_cli.domain.events import EventName
from aimeter_cli.domain.periods import iso
from aimeter_cli.errors import AimeterError, NotFound
from aimeter_cli.repositories import alerts as repo
from aimeter_cli.repositories.deliveries import Due
from aimeter_cli.services.events.posting import NotDelivered
from aimeter_cli.services.events.sending import make_sender
from aimeter_cli.services.events.slack import words_of
from aimeter_cli.settings.alerts import AlertSink
from aimeter_cli.settings.table import Settings

KIND_OF_TEST = "test"


@dataclass(frozen=True, slots=True)
class AlertView:
    """``status``: open, closed, or gone: it is closed if it does not come back."""

    id: int
    alert: str
    status: str
    kind: str
    subject: str
    detail: str
    hint: str | None
    facts: Mapping[str, Any]
    opened_at: datetime
    last_told_at: datetime
    gone_at: datetime | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class TestAlert:
    """What was sent, or would have been, and where to."""

    alert: str
    to: str
    text: str
    is_delivered: bool


def list_alerts(database: Database, *, closed_too: bool, limit: int) -> list[AlertView]:
    """The newest first."""
    with database.read() as session:
        rows = repo.listed(session, closed_too=closed_too, limit=limit)
    views = []
    for row in rows:
        facts = json.loads(row.facts)
        open_or_gone = "open" if row.gone_at is None else "gone"
        views.append(
            AlertView(
                row.id, row.name, "closed" if row.closed_at is not None else open_or_gone,
                row.kind, row.subject, facts.pop(DETAIL), facts.pop(HINT), facts, row.opened_at,
                row.last_told_at, row.gone_at, row.closed_at,
            )
        )  # fmt: skip
    return views


def send_test(settings: Settings, name: str, *, now: datetime, dry_run: bool) -> TestAlert:
    """Send an alert that is none, now, without a trace in the database.

    Raises NotFound; ConfigurationError without its address; AimeterError if it did not arrive.
    """
    sink = _named(settings, name)
    due = Due(0, 0, name, 0, EventName.ALERT_RAISED.value, None, now, _payload(name, now))
    test = TestAlert(name, str(sink).partition(" → ")[2], words_of(due), not dry_run)
    sender = make_sender(sink)
    try:
        if not dry_run:
            sender.send(due)
    except NotDelivered as failure:
        raise AimeterError(
            f"the test alert did not get to {test.to}: {failure.reason}",
            hint="aimeter alerts test sends it again.",
        ) from None
    finally:
        sender.close()
    return test


def _named(settings: Settings, name: str) -> AlertSink:
    for sink in settings.alerts:
        if sink.name == name:
            return sink
    known = ", ".join(sink.name for sink in settings.alerts) or "none is configured"
    raise NotFound(f"there is no alert {name!r}: {known}", hint="[[alerts]] in aimeter.toml")


def _payload(name: str, now: datetime) -> str:
    return json.dumps(
        {
            "alert": name, "kind": KIND_OF_TEST, "subject": "", "opened_at": iso(now),
            DETAIL: f"this is a test of [[alerts]] {name}; nothing is wrong",
            HINT: None, "is_reminder": False, "facts": {},
        }
    )  # fmt: skip
