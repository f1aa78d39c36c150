"""``aimeter usage check``."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import BillableArgument, amount, whole
from aimeter_cli.render.nouns.quota import shown_check


def check(
    ctx: typer.Context,
    billable: BillableArgument,
    tokens: Annotated[
        int, typer.Option(parser=whole("--tokens"), metavar="N", help="That the call may use.")
    ] = 0,
    cost: Annotated[
        Decimal | None,
        typer.Option(
            parser=amount("--cost"), metavar="AMOUNT",
            help="That it may cost, in the plan's currency, or in the wallet's.",
        ),
    ] = None,
    mode: Annotated[
        Literal["plan", "credits"] | None, typer.Option(help="Instead of the subscription's.")
    ] = None,
) -> None:  # fmt: skip
    """See what is left for a billable, and whether one more call is allowed. Exit 1 if it is not.

    Example: aimeter usage check user:42 --tokens 8,000
    """
    from aimeter_cli.domain.money import to_nanos
    from aimeter_cli.services.names import nobody_like
    from aimeter_cli.services.quota.check import check_quota

    run = invocation(ctx)
    found = check_quota(
        run.app.database, run.app.settings, billable, now=run.now(), tokens=tokens,
        cost=0 if cost is None else to_nanos(cost), billing_mode=mode,
    )  # fmt: skip
    run.out.one(shown_check(run.out.terminal), found)
    nobody = nobody_like(run.app.database, billable).strip()
    if nobody:
        run.console.notice(nobody)
    if not found.allowed:
        raise typer.Exit(1)
