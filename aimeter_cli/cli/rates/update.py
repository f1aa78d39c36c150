"""``aimeter rates update``."""

from __future__ import annotations

from typing import Annotated

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import DryRun
from aimeter_cli.cli.rates.arguments import Source
from aimeter_cli.cli.rates.stored import price, raise_if_held, tell
from aimeter_cli.errors import RowsFailed


def update(
    ctx: typer.Context,
    from_: Annotated[
        str,
        typer.Option(
            "--from", metavar="SOURCE|FILE|URL", help="ecb, ecb-90d, frankfurter; a file; https://…"
        ),
    ],
    source: Source = None,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Use these rates however far they move.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Store all rates of a document, or none, and price what waited for one. For cron, once a day.

    The same document again changes nothing. A rate that moves more than rate_max_move against the
    last one is held, and not used, until it is confirmed: exit 3. Files and addresses hold JSON or
    TOML with base, date and rates, or pairs such as usd_eur; CSV base,quote,rate,date; or the ECB's
    XML, CSV or zip. ecb-90d fills what was missed.

    Example: aimeter rates update --from ecb
    """
    from aimeter_cli.services.jobs import running
    from aimeter_cli.services.rates import update_rates
    from aimeter_cli.services.rates_sources.source import rates_from

    run = invocation(ctx)
    database, settings = run.app.database, run.app.settings
    with running(database, "rates update", dry_run=dry_run) as job:
        rates = rates_from(from_, settings, source=source, today=run.now())
        stored = update_rates(
            database, settings, rates, now=run.now(), confirm=confirm, dry_run=dry_run
        )
        job.counts = tell(run, stored)
        if "held" in job.counts:
            job.exit_code = RowsFailed.exit_code
        if not dry_run:
            price(run)
    run.dry_run_notice(dry_run)
    raise_if_held(stored, dry_run=dry_run)
