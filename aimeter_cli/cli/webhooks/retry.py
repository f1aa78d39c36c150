"""``aimeter webhooks retry``."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import DryRun
from aimeter_cli.cli.webhooks.results import Shown
from aimeter_cli.errors import InvalidInput


def retry(
    ctx: typer.Context,
    event_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[EVENT_ID…]", help="As webhooks list shows them.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="All that failed or were never handled.")
    ] = False,
    status: Annotated[
        Literal["failed", "received", "ignored", "quarantined"] | None,
        typer.Option(help="All of that status."),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Handle stored events once more: those named, all that failed, or all of a status.

    Processed ones stay as they are. Of those quarantined, events of another mode than this
    installation's are tried again; what is no event stays. Exit 3 if one fails again.

    Example: aimeter webhooks retry --status failed
    """
    from aimeter_cli.webhooks.intake import Intake
    from aimeter_cli.webhooks.retry import UNDONE
    from aimeter_cli.webhooks.retry import retry as retried

    if sum(map(bool, (event_ids, every, status))) != 1:
        raise InvalidInput("expected event ids, --all or --status, and only one of them")
    run = invocation(ctx)
    with run.progress("Retrying") as advance:
        shown = Shown(run, advance, empty="No stored event is to be handled once more.")
        shown.show(
            retried(
                run.app.database, Intake(run.app), event_ids=event_ids or (),
                statuses=(status,) if status else UNDONE, dry_run=dry_run,
            )
        )  # fmt: skip
    run.dry_run_notice(dry_run)
    shown.raise_if_bad(dry_run=dry_run)
