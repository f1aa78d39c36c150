"""What the inbox holds, for people to look at."""

from __future__ import annotations

from aimeter_cli.db.engine import Database
from aimeter_cli.errors import NotFound
from aimeter_cli.models.webhook_events import WebhookEvent
from aimeter_cli.repositories import webhook_events


def list_events(
    database: Database,
    *,
    status: str | None = None,
    event_type: str | None = None,
    limit: int | None = None,
) -> list[WebhookEvent]:
    """Events of the inbox, newest first; ``waiting`` as in :mod:`.waiting`."""
    with database.read() as session:
        return webhook_events.list_events(
            session, status=status, event_type=event_type, limit=limit
        )


def show_event(database: Database, event_id: str) -> WebhookEvent:
    """One event, by Stripe's id or that of its quarantine. Raises NotFound."""
    with database.read() as session:
        found = webhook_events.find_event(session, event_id)
    if found is None:
        raise NotFound(
            f"there is no webhook event {event_id}", hint="aimeter webhooks list shows them."
        )
    return found
