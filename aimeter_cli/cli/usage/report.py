"""``aimeter usage report``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from aimeter_cli.cli.invocation import Invocation, invocation
from aimeter_cli.cli.options import BillableOption, Yes
from aimeter_cli.cli.usage.page import write_page
from aimeter_cli.errors import InvalidInput
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
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Of day,billable,tenant,provider,model,feature; provider,model, if not given.",
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="The N dearest of a currency, others as one row."),
    ] = None,
    html: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write one page to mail; - for stdout.")
    ] = None,
    yes: Yes = False,
) -> None:
    """Sum usage up: requests, tokens, cost, charge, the dearest first, currencies apart.

    Months and days are those of the configured time zone; of usage that was pruned only sums of
    days in UTC are known, which count as the day of that date.

    --html writes a page instead, with usage by day and by model, overages by customer and the
    state of the sync, without script and in one file. It replaces an earlier page; any other file
    only with --yes. The page on one --billable tells nothing of others.

    Example: aimeter usage report --month 2026-10 --by provider,model
    """
    from aimeter_cli.services.reports.span import span
    from aimeter_cli.services.reports.usage import dimensions, usage_report

    run = invocation(ctx)
    zone = run.app.settings.timezone
    covered = span(zone, now=run.now(), month=month, since=since, until=until)
    if html is not None:
        if by is not None:
            raise InvalidInput("--by: --html shows days and models; leave one of the two out")
        write_page(run, html, covered, billable=billable, limit=limit, yes=yes)
        return
    words = dimensions(by if by is not None else "provider,model")
    _show(run, usage_report(run.app.database, covered, words, billable=billable, limit=limit))


def _show(run: Invocation, found: UsageReport) -> None:
    if run.out.is_for_people:
        noun = shown_noun(found.by, found.rows, terminal=run.out.terminal)
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
