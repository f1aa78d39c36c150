"""``aimeter rates remove``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import DryRun, Yes, moment
from aimeter_cli.cli.rates.arguments import Base, Quote
from aimeter_cli.render.nouns.rates import REMOVED_RATE


def remove(
    ctx: typer.Context,
    base: Base,
    quote: Quote,
    at: Annotated[
        datetime | None,
        typer.Option(parser=moment("--at"), metavar="TIME", help="Only the one since then."),
    ] = None,
    held: Annotated[bool, typer.Option("--held", help="Only what is held.")] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Remove the stored rate of a pair. What was priced keeps the rate it was priced with.

    Where there are several, --yes agrees to remove them all, held ones included.

    Example: aimeter rates remove usd eur --at 2026-11-01
    """
    from aimeter_cli.services.rates import find_rates, remove_rates

    run = invocation(ctx)
    found = find_rates(run.app.database, base, quote, at, only_held=held)
    if len(found) > 1 and not dry_run:
        run.confirm(f"Remove all {len(found)} rates from {base} to {quote}?", yes=yes)
    remove_rates(run.app.database, found, dry_run=dry_run)
    run.out.rows(REMOVED_RATE, found)
    run.dry_run_notice(dry_run)
