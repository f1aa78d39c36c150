"""``aimeter plans``."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from aimeter_cli.cli import completion
from aimeter_cli.cli.invocation import Invocation, invocation
from aimeter_cli.cli.options import Currency, DryRun, amount, given, whole
from aimeter_cli.errors import InvalidInput
from aimeter_cli.render.nouns.plans import PLAN

if TYPE_CHECKING:
    from aimeter_cli.services.plans import PlanView

app = typer.Typer(no_args_is_help=True)

_Slug = Annotated[
    str,
    typer.Argument(metavar="SLUG", help="As plans list shows it.", autocompletion=completion.plans),
]
_TokenLimit = Annotated[
    int | None,
    typer.Option(parser=whole("--token-limit"), metavar="N", help="Tokens that a period covers."),
]
_CostLimit = Annotated[
    Decimal | None,
    typer.Option(parser=amount("--cost-limit"), metavar="AMOUNT", help="Cost that it covers."),
]
_RequestLimit = Annotated[
    int | None,
    typer.Option(parser=whole("--request-limit"), metavar="N", help="Requests that it covers."),
]
_Price = Annotated[
    Decimal | None,
    typer.Option(
        "--overage-price-per-1k",
        parser=amount("--overage-price-per-1k"),
        metavar="AMOUNT",
        help="Per 1,000 tokens beyond the limit; 0 is free. Without it: their cost × markup.",
    ),
]
_Behavior = Annotated[
    Literal["block", "allow", "charge"] | None,
    typer.Option(help="What exceeding the plan does; the configuration's, if not given."),
]
_TrialDays = Annotated[
    int | None, typer.Option(min=0, max=3650, metavar="N", help="Days of trial.")
]
_Features = Annotated[
    list[str] | None, typer.Option("--feature", metavar="NAME", help="Repeat for several.")
]
_Prices = Annotated[
    list[str] | None,
    typer.Option("--stripe-price", metavar="price_…", help="A Stripe price that means this plan."),
]
_FROM_NEXT_PERIOD = (
    "{} live subscription(s): a period that has begun keeps its limits and prices; "
    "the changes hold from the next one."
)


@app.command()
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people call it.")],
    slug: Annotated[str | None, typer.Option(help="Made from the name, if not given.")] = None,
    token_limit: _TokenLimit = None,
    cost_limit: _CostLimit = None,
    request_limit: _RequestLimit = None,
    overage_price: _Price = None,
    currency: Currency = None,
    overage_behavior: _Behavior = None,
    trial_days: _TrialDays = None,
    feature: _Features = None,
    stripe_price: _Prices = None,
    dry_run: DryRun = False,
) -> None:
    """Make a plan, and say in words what exceeding it will cost.

    A limit that is not given is unlimited; 0 covers nothing.

    Example: aimeter plans create Pro --token-limit 1,000,000 --overage-price-per-1k 0.02 --overage-behavior charge
    """  # noqa: E501
    from aimeter_cli.services.plans import NewPlan, create_plan

    run = invocation(ctx)
    new = NewPlan(
        name, currency or run.app.settings.currency, slug, token_limit, cost_limit, request_limit,
        overage_price, overage_behavior, trial_days or 0, feature or (), stripe_price or (),
    )  # fmt: skip
    made = create_plan(run.app.database, new, now=run.now(), dry_run=dry_run)
    run.out.one(PLAN, made)
    _say_what_exceeding_costs(run, made)
    run.dry_run_notice(dry_run)


@app.command("list")
def list_(
    ctx: typer.Context,
    all_: Annotated[bool, typer.Option("--all", help="Archived ones, too.")] = False,
) -> None:
    """List plans.

    Example: aimeter plans list --all --format csv
    """
    from aimeter_cli.services.plans import list_plans

    run = invocation(ctx)
    found = list_plans(run.app.database, include_archived=all_)
    run.out.rows(PLAN, found, empty="No plan yet. Make one: aimeter plans create NAME")


@app.command()
def show(ctx: typer.Context, slug: _Slug) -> None:
    """Show one plan, and what exceeding it costs.

    Example: aimeter plans show pro --format json
    """
    from aimeter_cli.services.plans import show_plan

    run = invocation(ctx)
    found = show_plan(run.app.database, slug)
    run.out.one(PLAN, found)
    _say_what_exceeding_costs(run, found)


@app.command()
def update(
    ctx: typer.Context,
    slug: _Slug,
    name: Annotated[str | None, typer.Option(help="A new name; the slug stays.")] = None,
    token_limit: _TokenLimit = None,
    cost_limit: _CostLimit = None,
    request_limit: _RequestLimit = None,
    overage_price: _Price = None,
    overage_behavior: _Behavior = None,
    trial_days: _TrialDays = None,
    feature: _Features = None,
    stripe_price: _Prices = None,
    no_token_limit: Annotated[bool, typer.Option("--no-token-limit")] = False,
    no_cost_limit: Annotated[bool, typer.Option("--no-cost-limit")] = False,
    no_request_limit: Annotated[bool, typer.Option("--no-request-limit")] = False,
    no_price: Annotated[
        bool, typer.Option("--no-overage-price", help="Charge the cost × markup instead.")
    ] = False,
    no_behavior: Annotated[
        bool, typer.Option("--no-overage-behavior", help="Follow the configuration.")
    ] = False,
    no_features: Annotated[bool, typer.Option("--no-features")] = False,
    remove_stripe_price: Annotated[list[str] | None, typer.Option(metavar="price_…")] = None,
    dry_run: DryRun = False,
) -> None:
    """Change a plan. What is not given stays as it is; --feature replaces the whole list.

    Changed limits and prices hold from each subscription's next period.

    Example: aimeter plans update pro --token-limit 2,000,000 --no-cost-limit
    """
    from aimeter_cli.services.plans import update_plan

    run = invocation(ctx)
    changes = given(
        name=name, token_limit=token_limit, cost_limit=cost_limit, request_limit=request_limit,
        overage_price_per_1k_tokens=overage_price, overage_behavior=overage_behavior,
        trial_days=trial_days, features=feature,
    )  # fmt: skip
    _lift(changes, "token_limit", no_token_limit, "--token-limit")
    _lift(changes, "cost_limit", no_cost_limit, "--cost-limit")
    _lift(changes, "request_limit", no_request_limit, "--request-limit")
    _lift(changes, "overage_price_per_1k_tokens", no_price, "--overage-price-per-1k")
    _lift(changes, "overage_behavior", no_behavior, "--overage-behavior")
    _lift(changes, "features", no_features, "--feature", to=[])
    changed = update_plan(
        run.app.database, slug, changes, now=run.now(),
        add_prices=stripe_price or (), remove_prices=remove_stripe_price or (), dry_run=dry_run,
    )  # fmt: skip
    run.out.one(PLAN, changed)
    _say_what_exceeding_costs(run, changed)
    if changed.live_subscriptions:
        run.console.notice(_FROM_NEXT_PERIOD.format(changed.live_subscriptions))
    run.dry_run_notice(dry_run)


@app.command()
def archive(
    ctx: typer.Context,
    slug: _Slug,
    undo: Annotated[bool, typer.Option("--undo", help="Open it to new subscriptions.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Close a plan to new subscriptions; existing ones keep limits and prices. --undo opens it.

    Example: aimeter plans archive starter-2025
    """
    from aimeter_cli.services.plans import archive_plan

    run = invocation(ctx)
    plan, changed = archive_plan(run.app.database, slug, now=run.now(), undo=undo, dry_run=dry_run)
    run.out.one(PLAN, plan)
    state = "open to" if undo else "closed to"
    run.console.notice(
        f"{slug} is {'now' if changed else 'already'} {state} new subscriptions; "
        f"{plan.live_subscriptions} live one(s) go on."
    )
    run.dry_run_notice(dry_run)


def _lift(
    changes: dict[str, object], name: str, wanted: bool, option: str, to: object = None
) -> None:
    """What a ``--no-…`` option does. Raises InvalidInput if its opposite is given, too."""
    if not wanted:
        return
    if name in changes:
        raise InvalidInput(f"{option} and its --no-… contradict each other")
    changes[name] = to


def _say_what_exceeding_costs(run: Invocation, view: PlanView) -> None:
    from aimeter_cli.services.plan_words import overage_in_words, unused_price

    for line in overage_in_words(view.plan, run.app.settings):
        run.console.notice(line)
    warning = unused_price(view.plan, run.app.settings)
    if warning is not None:
        run.console.warn(warning)
