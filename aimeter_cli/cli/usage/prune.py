"""``aimeter usage prune``."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import DryRun, Yes
from aimeter_cli.errors import InvalidInput
from aimeter_cli.render.nouns.prune import PRUNE


def _age(text: str) -> timedelta:
    from aimeter_cli.settings.parse import duration

    try:
        return duration(str(text))
    except InvalidInput as error:
        raise InvalidInput(f"--older-than: {error.message}") from None


def prune(
    ctx: typer.Context,
    older_than: Annotated[
        timedelta | None,
        typer.Option(parser=_age, metavar="DAYS", help="365d; else the setting prune_after_days."),
    ] = None,
    batch_size: Annotated[
        int, typer.Option(min=1, max=10_000, metavar="N", help="Usages in a transaction.")
    ] = 1000,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Replace old usages by their daily sums. Reports, counters, overages and audit stay as exact.

    Stays: what is not priced, paid and on a closed invoice item, the usages of its whole period,
    of a period that may still get late usage, and what the ledger of a wallet names. Usage that
    occurred before is refused from then on. For cron: safe to overlap, to kill and to repeat.

    Example: aimeter usage prune --older-than 365d --dry-run
    """
    from aimeter_cli.services import prune as pruning
    from aimeter_cli.signals import stop_on_signals

    run = invocation(ctx)
    database, settings, now = run.app.database, run.app.settings, run.now()
    if not dry_run:
        pruning.refuse_future(now)
    before = pruning.horizon(settings, older_than, now=now)
    done = pruning.plan_prune(database, settings, before, now=now)
    if not dry_run and done.pruned:
        run.confirm(f"Replace {done.pruned:,} usages by daily sums, for good?", yes=yes)
    with stop_on_signals() as stop, run.progress("Pruning", done.pruned) as advance:
        if not dry_run:
            done = pruning.prune(
                database, settings, done, now=now, batch_size=batch_size, stop=stop, advance=advance
            )
    run.out.one(PRUNE, done)
    if before is None:
        run.console.notice("prune_after_days is 0: nothing is pruned. Give --older-than 365d.")
    run.dry_run_notice(dry_run)
    stop.raise_if_signalled()
