"""``aimeter usage report``."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from aimeter_cli.cli.invocation import Invocation, invocation
from aimeter_cli.cli.options import BillableOption
from aimeter_cli.render.nouns.reports import TOTAL, report_noun, row_noun, shown_noun

if TYPE_CHECKING:
    from aimeter_cli.services.reports.usage import UsageReport


def report(
    ctx: typer.Context,
    month: Annotated[
        str | None, typer.Option(metavar="MONTH", help="Such as 2026-10; this one, if not given.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="A day or a time, instead of a month.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Not included.")] = None,
    billable: BillableOption = None,
    by: Annotated[
        str,
        typer.Option(metavar="NAMES", help="Of day,billable,tenant,provider,model,feature."),
    ] = "provider,model",
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="The N dearest of a currency, others as one row."),
    ] = None,
) -> None:
    """Sum usage up: requests, tokens, cost, charge, the dearest first, currencies apart.

    Months and days are those of the configured time zone; of usage that was pruned only sums of
    days in UTC are known, which count as the day of that date.

    Example: aimeter usage report --month 2026-10 --by provider,model
    """
    from aimeter_cli.services.reports.span import span
    from aimeter_cli.services.reports.usage import dimensions, usage_report

    run = invocation(ctx)
    zone = run.app.settings.timezone
    covered = span(zone, now=run.now(), month=month, since=since, until=until)
    words = dimensions(by)
    _show(run, usage_report(run.app.database, covered, words, billable=billable, limit=limit))


def _show(run: Invocation, found: UsageReport) -> None:
    if run.out.is_for_people:
        is_seen = run.out.format == "table" and sys.stdout.isatty()
        columns = shutil.get_terminal_size().columns if is_seen else None
        noun = shown_noun(found.by, found.rows, terminal=columns)
        run.out.rows(noun, found.rows, empty=f"No usage {found.span.in_words}.")
        if found.rows:
            run.out.text(f"\nTotal {found.span.in_words}")
            run.out.rows(TOTAL, found.totals)
    elif run.out.format == "json":
        run.out.one(report_noun(found.by), found)
    else:
        run.out.rows(row_noun(found.by), found.rows)
    if found.is_inexact:
        run.console.notice(
            "Part of this usage was pruned: only its sums by day of UTC are known, and each is "
            "counted as the day of that date."
        )
