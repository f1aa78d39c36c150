"""``aimeter alerts check``: open what begins, remind of what goes on, close what is over.

Each change is a conditional update with its event in one transaction: of several processes only one
tells it. What is measured is read before, so that nothing waits for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row
from sqlmodel import Session

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.alerts import DETAIL, HINT, Condition, next_step
from aimeter_cli.domain.events import EventName
from aimeter_cli.domain.periods import iso
from aimeter_cli.repositories import alerts as repo
from aimeter_cli.repositories.outbox import emit
from aimeter_cli.services.alerts.conditions import conditions
from aimeter_cli.services.health import health
from aimeter_cli.settings.alerts import AlertSink
from aimeter_cli.settings.table import Settings

COMMAND = "alerts check"
TOLD_AT_ONCE = 20
"""Of one kind, in one check; of the rest only the number."""

Change = Literal["raised", "reminded", "resolved"]


@dataclass(frozen=True, slots=True)
class Told:
    """An alert that ``alert``, the name in the configuration, is told of, and why now."""

    change: Change
    alert: str
    kind: str
    subject: str
    detail: str
    hint: str | None
    opened_at: datetime


@dataclass(slots=True)
class CheckReport:
    """``open``: how many are open afterwards."""

    dry_run: bool
    told: list[Told] = field(default_factory=list)
    open: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """For the job's row."""
        changes = [each.change for each in self.told]
        named = {name: changes.count(name) for name in ("raised", "reminded", "resolved")}
        return {**named, "open": self.open}


def check(
    database: Database, settings: Settings, *, now: datetime, dry_run: bool = False
) -> CheckReport:
    """Compare the conditions that hold with the alerts that are open."""
    with database.read() as session:
        measured = health(session, settings, now=now)
        holding = {
            (sink.name, *condition.key): condition
            for sink in settings.alerts
            for condition in conditions(session, measured, settings, sink)
        }
        opened = repo.open_alerts(session)
    report = CheckReport(dry_run)
    sinks = {sink.name: sink for sink in settings.alerts}
    with database.write(dry_run=dry_run) as session:
        run = _Run(session, now, report)
        for row in opened:
            condition = holding.pop((row.name, row.kind, row.subject), None)
            run.go_on(row, condition, sinks.get(row.name))
        for name in sinks:
            found = [each for (of, *_), each in holding.items() if of == name and each.begins]
            run.begin(name, found)
        repo.forget_old(session, now)
        report.open = sum(count for *_, count in repo.count_open(session))
    return report


class _Run:
    """The changes of one check, in its transaction."""

    def __init__(self, session: Session, now: datetime, report: CheckReport) -> None:
        self._session = session
        self._now = now
        self._report = report

    def begin(self, name: str, fresh: Sequence[Condition]) -> None:
        by_kind: dict[str, list[Condition]] = {}
        for condition in fresh:
            values = {
                "name": name, "kind": condition.kind.value, "subject": condition.subject,
                "billable_id": condition.billable_id, "facts": _json(condition.document),
                "opened_at": self._now, "last_told_at": self._now,
            }  # fmt: skip
            if repo.open_alert(self._session, values):
                by_kind.setdefault(condition.kind.value, []).append(condition)
        for begun in by_kind.values():
            for condition in begun[:TOLD_AT_ONCE]:
                self._raise(name, condition, self._now)
            rest = begun[TOLD_AT_ONCE:]
            if rest:
                told = f"and {len(rest)} more at once; the last is: {rest[-1].detail}"
                hint = "aimeter alerts list shows all."
                self._raise(name, Condition(rest[-1].kind, told, hint), self._now)

    def go_on(self, row: Row[Any], condition: Condition | None, sink: AlertSink | None) -> None:
        """An open alert, with its condition if that still holds."""
        now = self._now
        step = next_step(
            holds=condition is not None, kind=row.kind, last_told_at=row.last_told_at,
            gone_at=row.gone_at, now=now, repeat=(sink or _NOBODY).repeat,
            resolve_after=(sink or _NOBODY).resolve_after,
        )  # fmt: skip
        values: dict[str, Any] = {}
        if condition is not None:
            if condition.document != json.loads(row.facts):
                values["facts"] = _json(condition.document)
            if row.gone_at is not None:
                values["gone_at"] = None
            if step == "remind":
                values["last_told_at"] = now
        elif step == "leave":
            values["gone_at"] = now
        elif step == "close":
            values["closed_at"] = now
        if not values or not repo.change(self._session, row, values):
            return
        if condition is not None and step == "remind":
            self._raise(row.name, condition, row.opened_at, is_reminder=True)
        elif step == "close":
            is_watched = sink is not None and row.kind in sink.conditions
            self._resolve(row, is_watched=is_watched)

    def _raise(
        self, name: str, condition: Condition, opened_at: datetime, *, is_reminder: bool = False
    ) -> None:
        told = Told(
            "reminded" if is_reminder else "raised", name, condition.kind.value,
            condition.subject, condition.detail, condition.hint, opened_at,
        )  # fmt: skip
        more = {HINT: condition.hint, "is_reminder": is_reminder, "facts": dict(condition.facts)}
        self._tell(EventName.ALERT_RAISED, told, condition.billable_id, more)

    def _resolve(self, row: Row[Any], *, is_watched: bool) -> None:
        facts = json.loads(row.facts)
        told = Told(
            "resolved", row.name, row.kind, row.subject, facts.pop(DETAIL), facts.pop(HINT),
            row.opened_at,
        )  # fmt: skip
        more = {"is_watched": is_watched, "facts": facts}
        self._tell(EventName.ALERT_RESOLVED, told, row.billable_id, more)

    def _tell(
        self, event: EventName, told: Told, billable_id: int | None, more: Mapping[str, Any]
    ) -> None:
        payload = {
            "alert": told.alert, "kind": told.kind, "subject": told.subject, DETAIL: told.detail,
            "opened_at": iso(told.opened_at), **more,
        }  # fmt: skip
        emit(self._session, event, billable_id=billable_id, now=self._now, payload=payload)
        self._report.told.append(told)


_NOBODY = AlertSink("")
"""Whose patience counts for alerts that the configuration does not name any more."""


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, sort_keys=True)
