"""``aimeter webhooks replay``."""

from __future__ import annotations

from typing import Annotated

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import DryRun
from aimeter_cli.cli.webhooks.results import Shown, Since, parse_since


def replay(
    ctx: typer.Context,
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH…|-", help="Files or folders of events; - is stdin."),
    ],
    types: Annotated[
        list[str] | None,
        typer.Option("--type", metavar="TYPE", help="Only these. Repeat for several."),
    ] = None,
    since: Annotated[
        Since | None,
        typer.Option(parser=parse_since, metavar="TIME|7d", help="Only events since then."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Handle processed ones again; order still counts.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Take Stripe's events from files, and show field by field what they change.

    A file holds events, one by one, in arrays, in lists as Stripe's API and CLI give them, one a
    line, in EventBridge's envelopes, or in the lines of a log, of which the others are left out.
    Folders are read with the folders in them (.json .jsonl .ndjson .log), each file with its oldest
    event first. An event is handled once, however often it comes. Exit 3 if one failed or was
    quarantined.

    Example: aimeter webhooks replay events.jsonl --dry-run
    """
    from aimeter_cli.webhooks.intake import Intake
    from aimeter_cli.webhooks.replay import Wanted
    from aimeter_cli.webhooks.replay import replay as replayed

    run = invocation(ctx)
    left_out: list[int] = []
    wanted = Wanted(types or (), since.moment(run.now()) if since else None)
    with run.progress("Replaying") as advance:
        shown = Shown(run, advance)
        shown.show(
            replayed(
                Intake(run.app), paths, wanted=wanted, dry_run=dry_run, force=force,
                found=lambda total: advance(0, total), left_out=left_out.append,
            )
        )  # fmt: skip
    if sum(left_out):
        run.console.notice(f"{sum(left_out):,} line(s) without an event were left out.")
    run.dry_run_notice(dry_run)
    shown.raise_if_bad(dry_run=dry_run)
