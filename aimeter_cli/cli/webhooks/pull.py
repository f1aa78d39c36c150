"""``aimeter webhooks pull``."""

from __future__ import annotations

from typing import Annotated

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import DryRun
from aimeter_cli.cli.webhooks.results import Shown, Since, parse_since
from aimeter_cli.errors import RowsFailed


def pull(
    ctx: typer.Context,
    since: Annotated[
        Since | None,
        typer.Option(
            parser=parse_since, metavar="TIME|7d",
            help="Instead of where the last pull ended; at most 30d.",
        ),
    ] = None,
    undelivered: Annotated[
        bool, typer.Option("--undelivered", help="Only what some endpoint has not taken.")
    ] = False,
    dry_run: DryRun = False,
) -> None:  # fmt: skip
    """Fetch Stripe's events of the types that we handle, and handle them, oldest first.

    For cron, and enough without a public endpoint: each pull goes on where the last one ended. Safe
    to overlap, to kill and to repeat. Exit 3 if one failed, or if some are older than Stripe keeps.

    Example: aimeter webhooks pull --since 7d
    """
    from aimeter_cli.signals import stop_on_signals
    from aimeter_cli.webhooks.pull import Pull

    run = invocation(ctx)
    with stop_on_signals() as stop, run.progress("Pulling") as advance:
        pulling = Pull(
            run.app, since.moment(run.now()) if since else None, undelivered, dry_run, stop,
            found=lambda total: advance(0, total),
        )  # fmt: skip
        shown = Shown(run, advance, without_known=True, empty="Nothing new at Stripe.")
        shown.show(pulling.run())
    run.dry_run_notice(dry_run)
    if pulling.gap is not None and pulling.is_gap_covered:
        run.console.notice(f"{pulling.gap}, but for those that came in another way.")
    elif pulling.gap is not None:
        hint = "Read the subscriptions themselves: aimeter subscriptions reconcile --all --fix"
        raise RowsFailed(pulling.gap, hint=hint)
    shown.raise_if_bad(dry_run=dry_run)
