"""A sink that listens for HTTP, one that is a command, and events to deliver."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.events import EventName
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.models.domain_events import DomainEvent, EventDelivery
from aimeter_cli.repositories.billables import get_or_create_billable
from aimeter_cli.repositories.outbox import emit
from aimeter_cli.services.events.deliver import DeliveryReport, deliver
from aimeter_cli.settings.sinks import event_sinks
from aimeter_cli.settings.table import Settings
from aimeter_cli.signals import StopFlag
from tests.conftest import NOW
from tests.support.receiver import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@dataclass
class Outbox:
    """Events of user:42 on a database, and runs that deliver them."""

    database: Database
    settings: Settings = field(default_factory=Settings)

    def sinks(self, *tables: dict[str, Any], **settings: Any) -> None:
        self.settings = Settings(event_sinks=event_sinks(list(tables)), **settings)

    def emit(
        self, count: int = 1, name: EventName = EventName.PAYMENT_FAILED, *, days: float = 0
    ) -> list[int]:
        """So many events, so many days ago; their ids."""
        at = NOW - timedelta(days=days)
        with self.database.write() as session:
            billable = get_or_create_billable(session, BillableRef("user", "42"), NOW)
            for number in range(count):
                emit(session, name, billable_id=billable.id, now=at, payload={"number": number})
            made = list(session.exec(select(DomainEvent.id).order_by(col(DomainEvent.id))))
        return made[-count:] if count else []

    def deliver(self, *, limit: int = 1000, **options: Any) -> DeliveryReport:
        return deliver(
            self.database, self.settings, now=NOW, limit=limit,
            stop=options.pop("stop", StopFlag()), **options,
        )  # fmt: skip

    def time_passes(self, seconds: float) -> None:
        """Leases and back-off lie further back by so much."""
        shift = timedelta(seconds=seconds)
        with self.database.write() as session:
            for row in session.exec(select(EventDelivery)):
                row.not_before -= shift
                if row.lease_expires_at is not None:
                    row.lease_expires_at -= shift
                session.add(row)

    @property
    def deliveries(self) -> list[EventDelivery]:
        with self.database.read() as session:
            return list(session.exec(select(EventDelivery).order_by(col(EventDelivery.id))))

    @property
    def statuses(self) -> list[tuple[int, str, str]]:
        return [(row.event_id, row.sink, row.status) for row in self.deliveries]


@pytest.fixture
def outbox(any_database: Database) -> Outbox:
    return Outbox(any_database)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a command puts what it gets, a file for each event that it got."""
    made = tmp_path / "got"
    made.mkdir()
    return made


Filer = Callable[..., dict[str, Any]]


@pytest.fixture
def filer(folder: Path) -> Filer:
    """A command that files every event under its process' number, then does ``then``."""

    def sink(name: str = "files", then: str = ":", **more: Any) -> dict[str, Any]:
        script = f'cat > "$0/$$"; {then}'
        return {"name": name, "command": ["/bin/sh", "-c", script, str(folder)], **more}

    return sink


def filed(folder: Path) -> list[int]:
    """The ids of the events that came, sorted."""
    return sorted(json.loads(file.read_text())["id"] for file in folder.iterdir())
