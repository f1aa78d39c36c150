"""``aimeter subscriptions cancel``."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from aimeter_cli.cli.invocation import Invocation, invocation
from aimeter_cli.cli.options import DryRun, moment
from aimeter_cli.cli.subscriptions.references import Reference
from aimeter_cli.render.nouns.subscriptions import SUBSCRIPTION

if TYPE_CHECKING:
    from aimeter_cli.services.subscriptions.view import SubscriptionView


def cancel(
    ctx: typer.Context,
    subscription: Reference,
    at: Annotated[
        datetime | None, typer.Option(parser=moment("--at"), metavar="TIME", help="Default: now.")
    ] = None,
    at_period_end: Annotated[
        bool, typer.Option("--at-period-end", help="When the current period ends.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask; off a terminal nobody is asked.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """End a subscription. Stripe's own is not touched.

    One that ends at once ends for good, and is asked about on a terminal; --at-period-end and a
    later --at can be taken back: subscriptions update --no-end.

    Example: aimeter subscriptions cancel user:42 --at-period-end
    """
    from aimeter_cli.services.subscriptions.ending import cancel_subscription

    run = invocation(ctx)
    end = partial(
        cancel_subscription, run.app.database, subscription, now=run.now(),
        at=at, at_period_end=at_period_end,
    )  # fmt: skip
    if run.has_somebody_to_ask and not (yes or dry_run):
        _ask(run, end(dry_run=True))
    ended = end(dry_run=dry_run)
    run.out.one(SUBSCRIPTION, ended)
    at_stripe = ended.subscription.stripe_subscription_id
    if at_stripe is not None:
        run.console.notice(f"The Stripe subscription {at_stripe} goes on: cancel it there, too.")
    run.dry_run_notice(dry_run)


def _ask(run: Invocation, planned: SubscriptionView) -> None:
    if planned.status == "canceled":
        row = planned.subscription
        who = f"the subscription {row.id} of {planned.billable.ref} ({planned.plan.slug})"
        run.confirm(f"End {who} now, for good?", yes=False)
