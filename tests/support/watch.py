"""A watch over a database: conditions that are made to hold, checks, and what they told."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlmodel import col, select

from aimeter_cli.db.engine import Database
from aimeter_cli.models.alerts import Alert
from aimeter_cli.models.domain_events import DomainEvent
from aimeter_cli.models.job_runs import JobRun
from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.services.alerts.check import CheckReport, check
from aimeter_cli.settings.alerts import alert_sinks
from aimeter_cli.settings.table import Settings
from tests.conftest import NOW
from tests.support.credits import Bank
from tests.support.world import World

STRIPE = Settings(billing_driver="stripe", stripe_api_key="sk_test_of_the_watch")
COMMAND = ["true"]


@dataclass
class Watch:
    """``now`` is business time."""

    database: Database
    settings: Settings = STRIPE
    now: datetime = NOW
    world: World = field(init=False)
    bank: Bank = field(init=False)

    def __post_init__(self) -> None:
        nowhere = cast("SandboxControl", None)  # no customer is made there
        self.world = World(self.database, nowhere, self.settings)
        self.bank = Bank(self.database)

    def alerts(self, *tables: dict[str, Any], **settings: Any) -> None:
        """What ``[[alerts]]`` says; a name and a command are added where there is none."""
        whole = [
            {"name": "ops", **({} if "slack_env" in table else {"command": COMMAND}), **table}
            for table in tables
        ]
        self.settings = replace(self.settings, alerts=alert_sinks(whole), **settings)

    def check(self, *, dry_run: bool = False, **passed: float) -> CheckReport:
        """After so much time."""
        self.now += timedelta(**passed)
        return check(self.database, self.settings, now=self.now, dry_run=dry_run)

    def told(self, **passed: float) -> list[tuple[str, str, str]]:
        """What the next check tells: (change, kind, subject)."""
        self.now += timedelta(**passed)
        return [(each.change, each.kind, each.subject) for each in self.check().told]

    def ran(self, command: str, minutes: float, code: int = 0, error: str | None = None) -> None:
        """A run so many minutes ago, by the real clock."""
        at = datetime.now(UTC) - timedelta(minutes=minutes)
        with self.database.write() as session:
            session.add(
                JobRun(
                    id=f"{command}-{minutes}", command=command, host="here", started_at=at,
                    finished_at=at, exit_code=code, error=error,
                )
            )  # fmt: skip

    @property
    def rows(self) -> list[Alert]:
        with self.database.read() as session:
            return list(session.exec(select(Alert).order_by(col(Alert.id))))

    @property
    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """What is in the outbox of alerts, oldest first."""
        query = select(DomainEvent).where(col(DomainEvent.name).like("Alert%"))
        with self.database.read() as session:
            stored = session.exec(query.order_by(col(DomainEvent.id)))
            return [(event.name, json.loads(event.payload)) for event in stored]
