"""``aimeter webhooks``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from aimeter_cli.cli.invocation import Invocation, invocation
from aimeter_cli.cli.options import DryRun
from aimeter_cli.errors import RowsFailed
from aimeter_cli.render.nouns.webhooks import (
    CHANGE_OF_EVENT,
    EVENT_RESULT,
    STORED_EVENT,
    WEBHOOK_EVENT,
)

if TYPE_CHECKING:
    from aimeter_cli.webhooks.results import EventResult

app = typer.Typer(no_args_is_help=True)

_Status = Literal["received", "processed", "ignored", "stale", "failed", "quarantined"]


@app.command()
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
    force: Annotated[
        bool, typer.Option("--force", help="Handle processed ones again; order still counts.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Take Stripe's events from files, and show field by field what they change.

    A file holds an event, an array, a list as Stripe's API gives it, or one event per line.
    Each event is handled once, however often it comes. Exit 3 if one failed or was quarantined.

    Example: aimeter webhooks replay events.jsonl --dry-run
    """
    from aimeter_cli.webhooks import replay as replaying

    run = invocation(ctx)
    results: list[EventResult] = []
    with run.progress("Replaying") as advance:
        for result in replaying.replay(
            run.app.database, run.app.settings, paths, now=run.now(), dry_run=dry_run, force=force,
            types=types or (),
        ):  # fmt: skip
            results.append(result)
            advance(1)
    _show(run, results)
    run.dry_run_notice(dry_run)
    bad = sum(result.is_bad for result in results)
    if bad:
        raise RowsFailed(
            f"{bad} of {len(results)} events failed or were quarantined",
            hint="They are listed with their reason; a failed one is tried again when replayed.",
        )


@app.command("list")
def list_(
    ctx: typer.Context,
    status: Annotated[_Status | None, typer.Option(help="How handling ended.")] = None,
    event_type: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Such as invoice.paid.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="At most so many.")] = 100,
) -> None:
    """List stored events, the newest first.

    Example: aimeter webhooks list --status failed
    """
    from aimeter_cli.webhooks.stored import list_events

    run = invocation(ctx)
    found = list_events(run.app.database, status=status, event_type=event_type, limit=limit)
    run.out.rows(WEBHOOK_EVENT, found, empty="No webhook event matches.")


@app.command()
def show(
    ctx: typer.Context,
    event_id: Annotated[str, typer.Argument(metavar="EVENT_ID", help="As webhooks list shows it.")],
) -> None:
    """Show a stored event with the text that came.

    Example: aimeter webhooks show evt_1PgafuLkdIwHu7ix --format json
    """
    from aimeter_cli.webhooks.stored import show_event

    run = invocation(ctx)
    run.out.one(STORED_EVENT, show_event(run.app.database, event_id))


def _show(run: Invocation, results: Sequence[EventResult]) -> None:
    """Every event; for people, then, all changes in one table."""
    run.out.rows(EVENT_RESULT, results, empty="There is no event in it.")
    if run.out.is_for_people:
        changes = [
            {"event_id": result.event_id, "table": change.table, "id": change.id,
             "field": change.field, "before": change.before, "after": change.after}
            for result in results for change in result.changes
        ]  # fmt: skip
        if changes:
            run.out.text("")
        run.out.rows(CHANGE_OF_EVENT, changes)
    counts = Counter(result.status for result in results)
    if counts:
        run.console.notice(", ".join(f"{n:,} {status}" for status, n in counts.items()))
