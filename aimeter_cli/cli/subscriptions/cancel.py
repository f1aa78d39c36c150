"""``aimeter subscriptions cancel``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import DryRun, moment
from aimeter_cli.cli.subscriptions.references import Reference
from aimeter_cli.render.nouns.subscriptions import SUBSCRIPTION


def cancel(
    ctx: typer.Context,
    subscription: Reference,
    at: Annotated[
        datetime | None, typer.Option(parser=moment("--at"), metavar="TIME", help="Default: now.")
    ] = None,
    at_period_end: Annotated[
        bool, typer.Option("--at-period-end", help="When the current period ends.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """End a subscription. Stripe's own is not touched.

    Example: aimeter subscriptions cancel user:42 --at-period-end
    """
    from aimeter_cli.services.subscriptions.ending import cancel_subscription

    run = invocation(ctx)
    ended = cancel_subscription(
        run.app.database, subscription, now=run.now(),
        at=at, at_period_end=at_period_end, dry_run=dry_run,
    )  # fmt: skip
    run.out.one(SUBSCRIPTION, ended)
    at_stripe = ended.subscription.stripe_subscription_id
    if at_stripe is not None:
        run.console.notice(f"The Stripe subscription {at_stripe} goes on: cancel it there, too.")
    run.dry_run_notice(dry_run)
