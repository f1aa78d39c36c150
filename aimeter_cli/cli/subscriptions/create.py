"""``aimeter subscriptions create``."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Literal

import typer

from aimeter_cli.cli import completion
from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import AS_LISTED, Customer, DryRun, given, moment, pairs
from aimeter_cli.cli.subscriptions.stripe import after_known, rehearse_create
from aimeter_cli.domain.periods import PeriodRule, zone
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.render.nouns.subscriptions import SUBSCRIPTION


def create(
    ctx: typer.Context,
    billable: Annotated[
        BillableRef,
        typer.Option(
            metavar="TYPE:ID",
            parser=BillableRef.parse,
            help="Made if it is new.",
            autocompletion=completion.billables,
        ),
    ],
    plan: Annotated[
        str,
        typer.Option(metavar="SLUG", help=AS_LISTED, autocompletion=completion.plans),
    ],
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
    from aimeter_cli.services.subscriptions.view import show_subscription

    run = invocation(ctx)
    rule = _rule(run.app.settings.period_rule, period_type, period_alignment, timezone)
    new = NewSubscription(
        billable, plan, rule, mode, started_at, renews_at, trial_days,
        stripe_customer, stripe_subscription, pairs("--meta", meta or ()),
    )  # fmt: skip
    if dry_run:
        made = rehearse_create(run, new)
    else:
        made = create_subscription(run.app.database, new, now=run.now())
    if not dry_run and after_known(run, made):
        made = show_subscription(run.app.database, str(made.subscription.id), now=run.now())
    run.out.one(SUBSCRIPTION, made)
    if renews_at is not None and rule.alignment == "calendar":
        run.console.notice(
            "Usage is metered in calendar periods; --renews-at is shown, and cuts no period. "
            "--period-alignment anchored follows it."
        )
    run.dry_run_notice(dry_run)


def _rule(
    configured: PeriodRule, kind: str | None, alignment: str | None, timezone: str | None
) -> PeriodRule:
    """The configured period rule, with what was said instead of it. Raises InvalidInput."""
    if timezone is not None:
        zone(timezone)
    alignment = "anchored" if alignment == "rolling" else alignment
    return replace(configured, **given(type=kind, alignment=alignment, timezone=timezone))
