"""``aimeter rates confirm``."""

from __future__ import annotations

from typing import Annotated

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import DryRun
from aimeter_cli.cli.rates.stored import price, tell


def confirm(
    ctx: typer.Context,
    ids: Annotated[list[int], typer.Argument(metavar="ID…", help="Of held rates.")],
    dry_run: DryRun = False,
) -> None:
    """Use held rates from now on, and price what waited for them.

    Held ones of the same currencies that do not move too far any more are used, too. What is wrong
    goes by: aimeter rates remove BASE QUOTE --held

    Example: aimeter rates confirm 3
    """
    from aimeter_cli.services.rates import confirm_rates

    run = invocation(ctx)
    stored = confirm_rates(run.app.database, run.app.settings, ids, now=run.now(), dry_run=dry_run)
    tell(run, stored)
    if not dry_run:
        price(run)
    run.dry_run_notice(dry_run)
