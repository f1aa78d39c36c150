"""``aimeter subscriptions show``."""

from __future__ import annotations

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.subscriptions.references import Reference
from aimeter_cli.render.nouns.subscriptions import SUBSCRIPTION


def show(ctx: typer.Context, subscription: Reference) -> None:
    """Show a subscription: a billable's live one, else its latest.

    Example: aimeter subscriptions show user:42 --format json
    """
    from aimeter_cli.services.subscriptions.view import show_subscription

    run = invocation(ctx)
    run.out.one(SUBSCRIPTION, show_subscription(run.app.database, subscription, now=run.now()))
