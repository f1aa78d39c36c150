"""``aimeter subscriptions update``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import DryRun, moment, pairs
from aimeter_cli.cli.subscriptions.references import Reference
from aimeter_cli.cli.subscriptions.stripe import find_stripe_ids
from aimeter_cli.render.nouns.subscriptions import SUBSCRIPTION


def update(
    ctx: typer.Context,
    subscription: Reference,
    mode: Annotated[
        Literal["plan", "credits"] | None,
        typer.Option(help="The plan's limits, or prepaid credits, from the next call on."),
    ] = None,
    renews_at: Annotated[
        datetime | None,
        typer.Option(parser=moment("--renews-at"), metavar="TIME", help="As it is shown."),
    ] = None,
    trial_ends_at: Annotated[
        datetime | None,
        typer.Option(parser=moment("--trial-ends-at"), metavar="TIME", help="A past time ends it."),
    ] = None,
    no_end: Annotated[
        bool, typer.Option("--no-end", help="Take back a cancellation that has not come.")
    ] = False,
    meta: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Repeat for several; KEY= removes one."),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Change what is kept of a subscription. Its plan: change-plan; its Stripe ids: set-stripe-ids.

    Example: aimeter subscriptions update user:42 --trial-ends-at 2026-12-24 --meta sales=ada
    """
    from aimeter_cli.services.subscriptions.update import Changes, update_subscription
    from aimeter_cli.services.subscriptions.view import show_subscription

    run = invocation(ctx)
    changes = Changes(mode, renews_at, trial_ends_at, no_end, pairs("--meta", meta or ()))
    changed = update_subscription(
        run.app.database, subscription, changes, now=run.now(), dry_run=dry_run
    )
    if not dry_run and find_stripe_ids(run, changed):
        changed = show_subscription(run.app.database, str(changed.subscription.id), now=run.now())
    run.out.one(SUBSCRIPTION, changed)
    at_stripe = changed.subscription.stripe_subscription_id
    if at_stripe is not None and (trial_ends_at is not None or no_end):
        run.console.warn(f"Stripe's {at_stripe} is as before: change it there, too.")
    run.dry_run_notice(dry_run)
