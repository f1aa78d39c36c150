"""``aimeter subscriptions list``."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import BillableOption, Limit, Plan
from aimeter_cli.render.nouns.subscriptions import GRACE, SUBSCRIPTION

_Status = Literal[
    "scheduled", "incomplete", "trialing", "active", "grace", "paused", "canceled", "expired"
]  # fmt: skip


def list_(
    ctx: typer.Context,
    status: Annotated[_Status | None, typer.Option(help="As of now, or of --as-of.")] = None,
    plan: Plan = None,
    billable: BillableOption = None,
    missing_stripe_ids: Annotated[
        bool, typer.Option("--missing-stripe-ids", help="Live ones that cannot be billed yet.")
    ] = False,
    limit: Limit = None,
) -> None:
    """List subscriptions, oldest first.

    Example: aimeter subscriptions list --status active --missing-stripe-ids
    """
    from aimeter_cli.services.names import nobody_like
    from aimeter_cli.services.subscriptions.view import SubscriptionFilter, list_subscriptions

    run = invocation(ctx)
    wanted = SubscriptionFilter(status, plan, billable, missing_stripe_ids, limit)
    is_narrowed = bool(status or plan or billable or missing_stripe_ids)
    found = list_subscriptions(run.app.database, wanted, now=run.now())
    nobody = nobody_like(run.app.database, billable) if billable and not found else ""
    run.out.rows(
        GRACE if status == "grace" and run.out.is_for_people else SUBSCRIPTION, found,
        empty=f"No subscription matches.{nobody}" if is_narrowed else "There is no subscription. "
        "Make one: aimeter subscriptions create --billable user:42 --plan SLUG",
    )  # fmt: skip
