"""``aimeter usage reprice``."""

from __future__ import annotations

from typing import Annotated

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import BillableOption, DryRun, Limit
from aimeter_cli.render.nouns.usage import REPRICING


def reprice(
    ctx: typer.Context,
    provider: Annotated[str | None, typer.Option(help="Only of this one.")] = None,
    model: Annotated[str | None, typer.Option(help="Only of this one.")] = None,
    billable: BillableOption = None,
    limit: Limit = None,
    dry_run: DryRun = False,
) -> None:
    """Price usages that had no price, or no rate, when they were recorded, once each.

    Every one gets a signed adjustment by the prices and rates of the time when it occurred; what
    that charges goes to the open overage of its period. For cron: safe to overlap and to repeat.

    Example: aimeter usage reprice --provider openai --dry-run
    """
    from aimeter_cli.services.jobs import running
    from aimeter_cli.services.repricing.run import RepriceFilter, reprice_usages
    from aimeter_cli.signals import stop_on_signals

    run = invocation(ctx)
    wanted = RepriceFilter(provider, model, billable)
    database = run.app.database
    with (
        running(database, "usage reprice", dry_run=dry_run) as job,
        stop_on_signals() as stop,
        run.progress("Pricing") as advance,
    ):
        done = reprice_usages(
            database, run.app.settings, run.app.prices, wanted,
            now=run.now(), limit=limit, dry_run=dry_run, stop=stop, advance=advance,
        )  # fmt: skip
        job.counts = {"priced": done.priced, "waiting": done.waiting}
    run.out.one(REPRICING, done)
    if done.waiting:
        run.console.notice(
            f"{done.waiting:,} still wait: add a price under [prices] of the configuration, or a "
            "rate of their time: aimeter rates update --from ecb-90d"
        )
    run.dry_run_notice(dry_run)
    stop.raise_if_signalled()
