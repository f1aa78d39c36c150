"""``aimeter webhooks show``."""

from __future__ import annotations

from typing import Annotated

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.render.nouns.webhooks import STORED_EVENT


def show(
    ctx: typer.Context,
    event_id: Annotated[str, typer.Argument(metavar="EVENT_ID", help="As webhooks list shows it.")],
) -> None:
    """Show a stored event with the text that came, unless that has been pruned.

    Example: aimeter webhooks show evt_1PgafuLkdIwHu7ix --format json
    """
    from aimeter_cli.webhooks.stored import show_event

    run = invocation(ctx)
    found = show_event(run.app.database, event_id)
    run.out.one(STORED_EVENT, found)
    if not found.payload:
        run.console.notice("Its payload has been pruned; its id and hash stay.")
