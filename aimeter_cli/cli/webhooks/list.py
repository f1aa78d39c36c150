"""``aimeter webhooks list``."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.render.nouns.webhooks import WEBHOOK_EVENT

_Status = Literal["received", "processed", "ignored", "stale", "failed", "quarantined", "waiting"]


def list_(
    ctx: typer.Context,
    status: Annotated[_Status | None, typer.Option(help="How handling ended.")] = None,
    event_type: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Such as invoice.paid.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="At most so many.")] = 100,
) -> None:
    """List stored events, the newest first.

    Those that wait for a subscription or customer that is not known here are of status ignored;
    --status waiting shows them alone.

    Example: aimeter webhooks list --status failed
    """
    from aimeter_cli.webhooks.stored import list_events

    run = invocation(ctx)
    found = list_events(run.app.database, status=status, event_type=event_type, limit=limit)
    run.out.rows(
        WEBHOOK_EVENT, found,
        empty="No webhook event matches." if status or event_type else "No webhook event yet. "
        "Fetch Stripe's last ones: aimeter webhooks pull --since 7d",
    )  # fmt: skip
