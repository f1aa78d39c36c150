"""``aimeter subscriptions change-plan``."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from aimeter_cli.cli import completion
from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import AS_LISTED, DryRun
from aimeter_cli.cli.subscriptions.references import Reference
from aimeter_cli.cli.subscriptions.stripe import find_stripe_ids
from aimeter_cli.render.nouns.subscriptions import SUBSCRIPTION


def change_plan(
    ctx: typer.Context,
    subscription: Reference,
    to: Annotated[
        str,
        typer.Option(metavar="SLUG", help=AS_LISTED, autocompletion=completion.plans),
    ],
    from_plan: Annotated[
        str | None, typer.Option(metavar="SLUG", help="Change nothing unless it is on this plan.")
    ] = None,
    at: Annotated[
        Literal["now", "renewal"], typer.Option(help="renewal: when its metering period ends.")
    ] = "now",
    dry_run: DryRun = False,
) -> None:
    """Put a subscription on another plan. Usage of each plan is counted by itself, not prorated.

    A change at renewal takes effect by itself; --to the plan of now takes it back.

    Example: aimeter subscriptions change-plan user:42 --to team --from-plan pro --at renewal
    """
    from aimeter_cli.services.subscriptions.change_plan import change_plan as change
    from aimeter_cli.services.subscriptions.view import show_subscription

    run = invocation(ctx)
    changed = change(
        run.app.database, subscription, to, now=run.now(), at=at, from_plan=from_plan,
        dry_run=dry_run,
    )  # fmt: skip
    if not dry_run and find_stripe_ids(run, changed):
        changed = show_subscription(run.app.database, str(changed.subscription.id), now=run.now())
    run.out.one(SUBSCRIPTION, changed)
    at_stripe = changed.subscription.stripe_subscription_id
    if at_stripe is not None:
        run.console.warn(
            f"Stripe goes on billing {at_stripe} as before: change its price there, too. Its next "
            "event decides."
        )
    run.dry_run_notice(dry_run)
