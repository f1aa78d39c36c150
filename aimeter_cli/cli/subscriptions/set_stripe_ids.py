"""``aimeter subscriptions set-stripe-ids``."""

from __future__ import annotations

from typing import Annotated

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import BillableArgument, DryRun
from aimeter_cli.cli.subscriptions.stripe import set_ids, take_up_waiting
from aimeter_cli.render.nouns.subscriptions import SUBSCRIPTION


def set_stripe_ids(
    ctx: typer.Context,
    billable: BillableArgument,
    customer: Annotated[str | None, typer.Option(metavar="cus_…")] = None,
    subscription: Annotated[str | None, typer.Option(metavar="sub_…")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Move what is pending to the new id at the next sync.")
    ] = False,
    no_check: Annotated[
        bool, typer.Option("--no-check", help="Set them without asking Stripe.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Say which Stripe customer and subscription a billable has.

    With a key they are looked up first: ids that Stripe does not have, or that do not belong
    together, are refused. Where Stripe does not answer they are set, and reconcile checks them.

    Example: aimeter subscriptions set-stripe-ids user:42 --customer cus_Q1w2e3 --subscription sub_R4t5
    """  # noqa: E501
    from aimeter_cli.domain.periods import iso
    from aimeter_cli.services.subscriptions.view import show_subscription

    run = invocation(ctx)
    changed = set_ids(
        run, billable, no_check=no_check,
        customer=customer, subscription=subscription, force=force, dry_run=dry_run,
    )  # fmt: skip
    known = [each for each in (subscription, customer) if each is not None]
    if known and not dry_run:
        take_up_waiting(run, known)
        changed = show_subscription(run.app.database, str(changed.subscription.id), now=run.now())
    expired = changed.subscription.expired_at
    if subscription is not None and expired is not None:
        run.console.notice(f"it expired at {iso(expired)}: a payment brings it back")
    run.out.one(SUBSCRIPTION, changed)
    run.dry_run_notice(dry_run)
