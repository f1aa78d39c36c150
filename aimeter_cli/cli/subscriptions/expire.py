"""``aimeter subscriptions expire``."""

from __future__ import annotations

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import DryRun
from aimeter_cli.render.nouns.subscriptions import SUBSCRIPTION


def expire(ctx: typer.Context, dry_run: DryRun = False) -> None:
    """Expire subscriptions whose grace is over, and close those that have ended. For cron.

    Example: aimeter subscriptions expire --dry-run
    """
    from aimeter_cli.services.jobs import running
    from aimeter_cli.services.subscriptions.ending import expire_subscriptions

    run = invocation(ctx)
    database, now = run.app.database, run.now()
    with (
        running(database, "subscriptions expire", dry_run=dry_run) as job,
        run.progress("Expiring") as advance,
    ):
        closed = expire_subscriptions(database, now=now, dry_run=dry_run, advance=advance)
        job.counts = {"closed": len(closed)}
    run.out.rows(SUBSCRIPTION, closed, empty="Nothing to expire.")
    run.dry_run_notice(dry_run)
