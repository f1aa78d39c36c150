"""``aimeter subscriptions``."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Literal

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import (
    BillableArgument,
    BillableOption,
    Customer,
    DryRun,
    Limit,
    given,
    moment,
    pairs,
)
from aimeter_cli.domain.periods import PeriodRule, zone
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.render.nouns.subscriptions import SUBSCRIPTION

app = typer.Typer(no_args_is_help=True)

_Reference = Annotated[
    str, typer.Argument(metavar="TYPE:ID|NUMBER", help="Its billable, or its own number.")
]
_Status = Literal[
    "scheduled", "incomplete", "trialing", "active", "grace", "paused", "canceled", "expired"
]  # fmt: skip


@app.command()
def create(
    ctx: typer.Context,
    billable: Annotated[
        BillableRef,
        typer.Option(metavar="TYPE:ID", parser=BillableRef.parse, help="Made if it is new."),
    ],
    plan: Annotated[str, typer.Option(metavar="SLUG", help="As plans list shows it.")],
    mode: Annotated[
        Literal["plan", "credits"], typer.Option(help="The plan's limits, or prepaid credits.")
    ] = "plan",
    stripe_customer: Customer = None,
    stripe_subscription: Annotated[str | None, typer.Option(metavar="sub_…")] = None,
    started_at: Annotated[
        datetime | None,
        typer.Option(parser=moment("--started-at"), metavar="TIME", help="Default: now."),
    ] = None,
    renews_at: Annotated[
        datetime | None,
        typer.Option(parser=moment("--renews-at"), metavar="TIME", help="End of its first period."),
    ] = None,
    trial_days: Annotated[
        int | None, typer.Option(min=0, max=3650, metavar="N", help="Default: the plan's.")
    ] = None,
    meta: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Repeat for several.")
    ] = None,
    period_type: Annotated[
        Literal["monthly", "weekly", "daily", "yearly"] | None,
        typer.Option(help="Default: the configuration's."),
    ] = None,
    period_alignment: Annotated[
        Literal["calendar", "anchored", "rolling"] | None,
        typer.Option(help="Default: the configuration's; rolling is anchored."),
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Of calendar periods, such as Europe/Berlin.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Put a billable on a plan. A subscription that is over makes room by itself.

    Example: aimeter subscriptions create --billable user:42 --plan pro --stripe-customer cus_Q1w2e3
    """
    from aimeter_cli.services.subscriptions.create import NewSubscription, create_subscription

    run = invocation(ctx)
    rule = _rule(run.app.settings.period_rule, period_type, period_alignment, timezone)
    new = NewSubscription(
        billable, plan, rule, mode, started_at, renews_at, trial_days,
        stripe_customer, stripe_subscription, pairs("--meta", meta or ()),
    )  # fmt: skip
    made = create_subscription(run.app.database, new, now=run.now(), dry_run=dry_run)
    run.out.one(SUBSCRIPTION, made)
    if renews_at is not None and rule.alignment == "calendar":
        run.console.notice(
            "Usage is metered in calendar periods; --renews-at is shown, and cuts no period. "
            "--period-alignment anchored follows it."
        )
    run.dry_run_notice(dry_run)


@app.command("list")
def list_(
    ctx: typer.Context,
    status: Annotated[_Status | None, typer.Option(help="As of now, or of --as-of.")] = None,
    plan: Annotated[str | None, typer.Option(metavar="SLUG")] = None,
    billable: BillableOption = None,
    missing_stripe_ids: Annotated[
        bool, typer.Option("--missing-stripe-ids", help="Live ones that cannot be billed yet.")
    ] = False,
    limit: Limit = None,
) -> None:
    """List subscriptions, oldest first.

    Example: aimeter subscriptions list --status active --missing-stripe-ids
    """
    from aimeter_cli.services.subscriptions.view import SubscriptionFilter, list_subscriptions

    run = invocation(ctx)
    wanted = SubscriptionFilter(status, plan, billable, missing_stripe_ids, limit)
    found = list_subscriptions(run.app.database, wanted, now=run.now())
    run.out.rows(
        SUBSCRIPTION, found,
        empty="No such subscription. Make one: aimeter subscriptions create --billable user:42 "
        "--plan SLUG",
    )  # fmt: skip


@app.command()
def show(ctx: typer.Context, subscription: _Reference) -> None:
    """Show a subscription: a billable's live one, else its latest.

    Example: aimeter subscriptions show user:42 --format json
    """
    from aimeter_cli.services.subscriptions.view import show_subscription

    run = invocation(ctx)
    run.out.one(SUBSCRIPTION, show_subscription(run.app.database, subscription, now=run.now()))


@app.command()
def cancel(
    ctx: typer.Context,
    subscription: _Reference,
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


@app.command("change-plan")
def change_plan(
    ctx: typer.Context,
    subscription: _Reference,
    to: Annotated[str, typer.Option(metavar="SLUG", help="As plans list shows it.")],
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

    run = invocation(ctx)
    changed = change(
        run.app.database, subscription, to, now=run.now(), at=at, from_plan=from_plan,
        dry_run=dry_run,
    )  # fmt: skip
    run.out.one(SUBSCRIPTION, changed)
    at_stripe = changed.subscription.stripe_subscription_id
    if at_stripe is not None:
        run.console.warn(
            f"Stripe goes on billing {at_stripe} as before: change its price there, too. Its next "
            "event decides."
        )
    run.dry_run_notice(dry_run)


@app.command("set-stripe-ids")
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
    from aimeter_cli.services.subscriptions.stripe_ids import set_stripe_ids as set_ids

    run = invocation(ctx)
    changed = set_ids(
        run.app.database, billable, now=run.now(),
        customer=customer, subscription=subscription, force=force, dry_run=dry_run,
    )  # fmt: skip
    run.out.one(SUBSCRIPTION, changed)
    run.dry_run_notice(dry_run)


@app.command()
def expire(ctx: typer.Context, dry_run: DryRun = False) -> None:
    """Expire subscriptions whose grace is over, and close those that have ended. For cron.

    Example: aimeter subscriptions expire --dry-run
    """
    from aimeter_cli.services.jobs import running
    from aimeter_cli.services.subscriptions.ending import expire_subscriptions

    run = invocation(ctx)
    with running(run.app.database, "subscriptions expire", dry_run=dry_run) as job:
        closed = expire_subscriptions(run.app.database, now=run.now(), dry_run=dry_run)
        job.counts = {"closed": len(closed)}
    run.out.rows(SUBSCRIPTION, closed, empty="Nothing to expire.")
    run.dry_run_notice(dry_run)


def _rule(
    configured: PeriodRule, kind: str | None, alignment: str | None, timezone: str | None
) -> PeriodRule:
    """The configured period rule, with what was said instead of it. Raises InvalidInput."""
    if timezone is not None:
        zone(timezone)
    alignment = "anchored" if alignment == "rolling" else alignment
    return replace(configured, **given(type=kind, alignment=alignment, timezone=timezone))
