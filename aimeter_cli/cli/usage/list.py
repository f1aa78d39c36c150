"""``aimeter usage list``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import BillableOption, moment
from aimeter_cli.errors import InvalidInput
from aimeter_cli.render.nouns.usage import LISTED_USAGE


def list_(
    ctx: typer.Context,
    billable: BillableOption = None,
    provider: Annotated[str | None, typer.Option(help="Such as openai.")] = None,
    model: Annotated[str | None, typer.Option(help="Such as gpt-4o-mini.")] = None,
    feature: Annotated[str | None, typer.Option(help="Of your product.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Of your application.")] = None,
    user: Annotated[str | None, typer.Option(help="Who made the calls, such as user:42.")] = None,
    state: Annotated[
        str | None, typer.Option(help="priced, unpriced, needs_rate or unpaid.")
    ] = None,
    unpriced: Annotated[
        bool, typer.Option("--unpriced", help="Without a known price; usage reprice prices them.")
    ] = False,
    since: Annotated[
        datetime | None,
        typer.Option(parser=moment("--since"), metavar="TIME", help="From this day or time on."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(parser=moment("--until"), metavar="TIME", help="Not included."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="At most so many.")] = 100,
) -> None:
    """List usages, the newest first; what they come to, by currency, is told on stderr.

    In JSON each has the price that it was charged with, and its source. An adjustment names the
    usage that it corrects, and is no request.

    Example: aimeter usage list --billable user:42 --since 2026-11-01
    """
    from aimeter_cli.services.usages import UsageFilter, list_usages

    run = invocation(ctx)
    if unpriced and state not in (None, "unpriced"):
        raise InvalidInput(f"--unpriced and --state {state} contradict each other")
    wanted = UsageFilter(
        billable, provider, model, feature, tenant, user, "unpriced" if unpriced else state,
        since, until,
    )  # fmt: skip
    found = list_usages(run.app.database, wanted, limit=limit)
    empty = "No usage matches."
    if wanted == UsageFilter():
        empty = "No usage yet. Import some: aimeter usage import FILE"
    run.out.rows(LISTED_USAGE, found.rows, empty=empty, summary=found.summary)
    if found.is_cut:
        run.console.notice(f"these are the newest {limit:,} only; --limit shows more")
