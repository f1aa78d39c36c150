"""Everything about a span of time at once: usage, overages, and how the sync stands now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.periods import zone
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.repositories.overage_sums import Touching
from aimeter_cli.services.billables import billable_named
from aimeter_cli.services.reports.customers import CustomerSums, customer_sums
from aimeter_cli.services.reports.models import ModelSum, model_sums
from aimeter_cli.services.reports.span import Span
from aimeter_cli.services.reports.timeline import Timeline, timeline
from aimeter_cli.services.reports.usage import UsageReport, usage_report
from aimeter_cli.services.status import Status, status
from aimeter_cli.settings.table import Settings

_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Overview:
    """``usage`` is by day, provider and model; ``models`` are its dearest, by currency.

    ``overages``: whose service periods have time in common with the span. ``status`` is that of the
    whole installation at ``made_at``; None in the report on one billable, which its customer may be
    sent. ``database`` is a name without host, user or password.
    """

    made_at: datetime
    database: str
    limit: int
    usage: UsageReport
    timeline: Timeline
    models: list[ModelSum]
    overages: CustomerSums
    status: Status | None

    @property
    def span(self) -> Span:
        return self.usage.span


def overview(
    database: Database,
    settings: Settings,
    span: Span,
    *,
    now: datetime,
    billable: BillableRef | None = None,
    limit: int = 50,
) -> Overview:
    """``limit``: of each currency at most so many models and customers; others are one row.

    Raises NotFound for an unknown billable.
    """
    usage = usage_report(database, span, ("day", "provider", "model"), billable=billable)
    with database.read() as session:
        billable_id = billable_named(session, billable).id if billable is not None else None
        wanted = Touching(span.since, span.until, billable_id)
        overages = customer_sums(session, wanted, limit)
    first = _day(span, span.since) if span.since is not None else None
    return Overview(
        made_at=now,
        database=name_of(database),
        limit=limit,
        usage=usage,
        timeline=timeline(usage.rows, first, _day(span, min(now, span.until - _MOMENT))),
        models=model_sums(usage.rows, limit),
        overages=overages,
        status=status(database, settings, now=now) if billable is None else None,
    )


def _day(span: Span, moment: datetime) -> date:
    return moment.astimezone(zone(span.timezone)).date()


def name_of(database: Database) -> str:
    """The file's name, or the database's on its server."""
    return database.file.name if database.file is not None else database.url.database or "memory"
