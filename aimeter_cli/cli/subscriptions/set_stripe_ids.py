"""``aimeter subscriptions set-stripe-ids``."""

from __future__ import annotations

from typing import Annotated

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import BillableArgument, DryRun
from aimeter_cli.cli.subscriptions.stripe import take_up_waiting
from aimeter_cli.render.nouns.subscriptions import SUBSCRIPTION


def set_stripe_ids(
    ctx: typer.Context,
    billable: BillableArgument,
    customer: Annotated[str | None, typer.Option(metavar="cus_…")] = None,
    subscription: Annotated[str | None, typer.Option(metavar="sub_…")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Move what is pending to the new id at the next sync.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Say which Stripe customer and subscription a billable has.

    Example: aimeter subscriptions set-stripe-ids user:42 --customer cus_Q1w2e3 --subscription sub_R4t5
    """  # noqa: E501
    from aimeter_cli.domain.periods import iso
    from aimeter_cli.services.subscriptions.stripe_ids import set_stripe_ids as set_ids
    from aimeter_cli.services.subscriptions.view import show_subscription

    run = invocation(ctx)
    changed = set_ids(
        run.app.database, billable, now=run.now(),
        customer=customer, subscription=subscription, force=force, dry_run=dry_run,
    )  # fmt: skip
    if not dry_run and subscription is not None:
        take_up_waiting(run, [subscription])
        changed = show_subscription(run.app.database, str(changed.subscription.id), now=run.now())
    expired = changed.subscription.expired_at
    if subscription is not None and expired is not None:
        run.console.notice(f"it expired at {iso(expired)}: a payment brings it back")
    run.out.one(SUBSCRIPTION, changed)
    run.dry_run_notice(dry_run)
