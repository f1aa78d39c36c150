"""An overview made by hand: two currencies, three models, two customers, one that is hostile."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

from aimeter_cli.services.reports.customers import Customer, CustomerSums, StatusSum
from aimeter_cli.services.reports.models import model_sums
from aimeter_cli.services.reports.overview import Overview
from aimeter_cli.services.reports.span import Span
from aimeter_cli.services.reports.timeline import timeline
from aimeter_cli.services.reports.usage import ReportRow, Total, UsageReport
from aimeter_cli.services.status import JobStatus, Status, Unsynced
from aimeter_cli.services.sync.blocked import Blocked

MADE = datetime(2026, 11, 15, 12, tzinfo=UTC)
NOVEMBER = Span(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC), "UTC")
HOSTILE = "</style><script>alert(1)</script><img src=x onerror=alert(2)>\x1b[31m\u202e\x00'\"&"


def row(
    day: str, model: str, tokens: int, cost: str, currency: str = "usd", charge: str = "0",
    **more: str,
) -> ReportRow:  # fmt: skip
    return ReportRow(
        requests=1, input_tokens=tokens, cached_input_tokens=0, cache_write_tokens=0,
        output_tokens=0, reasoning_tokens=0, cost=Decimal(cost), currency=currency,
        charge=Decimal(charge), charge_currency=more.get("charge_currency", currency), unpriced=0,
        day=day, provider=more.get("provider", "openai"), model=model,
    )  # fmt: skip


ROWS = [
    row("2026-11-02", "gpt-5", 1000, "3", charge="1.5"),
    row("2026-11-03", "gpt-5", 500, "1.000000125"),
    row("2026-11-03", "mini", 7, "0.25"),
    row("2026-11-04", "m-large", 20, "2", "eur", "0.5", provider="mistral"),
]
TOTALS = [
    Total("eur", 1, 20, Decimal(2), Decimal("0.5"), 0),
    Total("usd", 3, 1507, Decimal("4.250000125"), Decimal("1.5"), 0),
]


def customer(ref: str, amount: str, *items: str, name: str | None = None, **sums: str) -> Customer:
    by_status = {status: Decimal(each) for status, each in (sums or {"synced": amount}).items()}
    return Customer(1, ref, name, "usd", len(by_status), Decimal(amount), by_status, items)


def standing() -> Status:
    job = JobStatus(
        command="sync-stripe-overages", run_id="r1", host="here",
        started_at=datetime(2026, 11, 15, 11, 50, tzinfo=UTC),
        finished_at=datetime(2026, 11, 15, 11, 51, tzinfo=UTC), exit_code=3,
        last_success_at=datetime(2026, 11, 15, 11, 51, tzinfo=UTC), age_seconds=540,
        is_overdue=None, error=None, counts={},
    )  # fmt: skip
    return Status(
        problems=[], is_paused=False, paused_at=None, paused_reason=None, failed=1, held=0,
        unknown=0, stranded=0, backing_off=0, next_retry_at=None, unanswered_since=None,
        webhooks_due=2, jobs=[job], overages=[], stranded_reasons=[],
        unsynced=[Unsynced("usd", 1, Decimal("1.5"), datetime(2026, 11, 2, tzinfo=UTC))],
        blocked_reasons=[Blocked("failed", 1, ("user:1",), (7,), "aimeter overages retry 7")],
    )  # fmt: skip


def sample() -> Overview:
    return Overview(
        made_at=MADE,
        database="aimeter.db",
        limit=50,
        usage=UsageReport(NOVEMBER, None, ("day", "provider", "model"), ROWS, TOTALS, False),
        timeline=timeline(ROWS, date(2026, 11, 1), date(2026, 11, 15)),
        models=model_sums(ROWS, 50),
        overages=CustomerSums(
            [
                customer("team:7", "3", "ii_1", "ii_2", "ii_3", "ii_4", name="Seven"),
                customer("user:1", "1.5", open="0.5", failed="1"),
            ],
            [
                StatusSum("open", "usd", 1, Decimal("0.5")),
                StatusSum("failed", "usd", 1, Decimal(1)),
                StatusSum("synced", "usd", 1, Decimal(3)),
            ],
        ),
        status=standing(),
    )


def hostile() -> Overview:
    """The same with names that want to be markup, wherever text comes from outside."""
    found = sample()
    assert found.status is not None
    bad_rows = [replace(each, provider=HOSTILE, model=HOSTILE) for each in ROWS]
    job = replace(found.status.jobs[0], error=HOSTILE, exit_code=1)
    return replace(
        found,
        database=HOSTILE,
        usage=replace(found.usage, rows=bad_rows, billable=f"user:{HOSTILE}"),
        models=model_sums(bad_rows, 50),
        overages=CustomerSums(
            [customer(f"user:{HOSTILE}", "3", HOSTILE, name=HOSTILE)], found.overages.by_status
        ),
        status=replace(
            found.status, problems=[HOSTILE], is_paused=True, paused_at=MADE,
            paused_reason=HOSTILE, jobs=[job],
            blocked_reasons=[Blocked(HOSTILE, 1, (HOSTILE,), (7,), HOSTILE, HOSTILE)],
        ),
    )  # fmt: skip
