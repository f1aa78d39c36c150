"""Domain events, written in the transaction that made them true."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlmodel import Session

from aimeter_cli.domain.events import EventName
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.domain_events import DomainEvent

_ADD = insert(table_of(DomainEvent))


def emit(
    session: Session,
    name: EventName,
    *,
    billable_id: int | None,
    now: datetime,
    payload: Mapping[str, Any],
) -> None:
    """Append to the outbox; ``payload`` must be JSON."""
    session.connection().execute(
        _ADD,
        {
            "name": name.value,
            "billable_id": billable_id,
            "payload": json.dumps(payload, sort_keys=True),
            "created_at": now,
        },
    )
