"""``aimeter rates history``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import moment
from aimeter_cli.cli.rates.arguments import Base, Quote
from aimeter_cli.render.nouns.rates import RATE


def history(
    ctx: typer.Context,
    base: Base,
    quote: Quote,
    since: Annotated[
        datetime | None,
        typer.Option(parser=moment("--since"), metavar="TIME", help="Only from then on."),
    ] = None,
) -> None:
    """List every stored rate between two currencies, either way, newest first.

    Example: aimeter rates history usd eur --since 2026-10-01 --format csv
    """
    from aimeter_cli.services.rates import rate_history

    run = invocation(ctx)
    found = rate_history(run.app.database, run.app.settings, base, quote, at=run.now(), since=since)
    hint = f"aimeter rates set {base} {quote} …, or: aimeter rates update --from ecb"
    run.out.rows(RATE, found, empty=f"No stored rate. Store one: {hint}", footer=False)
