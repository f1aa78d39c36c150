"""``aimeter overrides``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import BillableArgument, BillableOption, DryRun, amount, moment, whole
from aimeter_cli.render.nouns.overrides import OVERRIDE

app = typer.Typer(no_args_is_help=True)


def _or_unlimited(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: "unlimited" if text == "unlimited" else parse(text)


_Tokens = Annotated[
    Any,
    typer.Option(parser=_or_unlimited(whole("--tokens")), metavar="N|unlimited"),
]
_Cost = Annotated[
    Any,
    typer.Option(
        parser=_or_unlimited(amount("--cost")), metavar="AMOUNT|unlimited",
        help="In the plan's currency.",
    ),
]  # fmt: skip
_Requests = Annotated[
    Any,
    typer.Option(parser=_or_unlimited(whole("--requests")), metavar="N|unlimited"),
]


@app.command("set")
def set_(
    ctx: typer.Context,
    billable: BillableArgument,
    tokens: _Tokens = None,
    cost: _Cost = None,
    requests: _Requests = None,
    from_: Annotated[
        datetime | None,
        typer.Option(
            "--from", parser=moment("--from"), metavar="TIME", help="Default: its period's start."
        ),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(parser=moment("--until"), metavar="TIME", help="Default: its period's end."),
    ] = None,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="For whoever asks.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Give a billable other limits for a time: its metering period, if not told otherwise.

    A limit that is not given stays the plan's; unlimited lifts it. It holds for usages that are
    recorded from now on; what was charged before stays charged.

    Example: aimeter overrides set user:42 --tokens 5,000,000 --cost unlimited --reason launch
    """
    from aimeter_cli.services.overrides import NewOverride, set_override

    run = invocation(ctx)
    new = NewOverride(billable, tokens, cost, requests, from_, until, reason)
    made = set_override(run.app.database, run.app.settings, new, now=run.now(), dry_run=dry_run)
    run.out.one(OVERRIDE, made)
    if made.status == "ended":
        run.console.warn("It is over already: it holds for usages of then that are recorded late.")
    run.dry_run_notice(dry_run)


@app.command("list")
def list_(
    ctx: typer.Context,
    billable: BillableOption = None,
    all_: Annotated[bool, typer.Option("--all", help="Ended ones, too.")] = False,
) -> None:
    """List overrides that hold or are to come, in the order in which they begin.

    Example: aimeter overrides list --billable user:42 --all
    """
    from aimeter_cli.services.overrides import list_overrides

    run = invocation(ctx)
    found = list_overrides(
        run.app.database, run.app.settings, now=run.now(), billable=billable, include_ended=all_
    )
    run.out.rows(
        OVERRIDE, found, empty="No override. Set one: aimeter overrides set user:42 --tokens N"
    )


@app.command()
def remove(
    ctx: typer.Context,
    override: Annotated[int, typer.Argument(metavar="ID", help="As overrides list shows it.")],
    dry_run: DryRun = False,
) -> None:
    """End an override now; one that has not begun is deleted.

    Example: aimeter overrides remove 3
    """
    from aimeter_cli.services.overrides import remove_override

    run = invocation(ctx)
    removed, deleted = remove_override(
        run.app.database, run.app.settings, override, now=run.now(), dry_run=dry_run
    )
    run.out.one(OVERRIDE, removed)
    run.console.notice("It had not begun: it was deleted." if deleted else "It has ended now.")
    run.dry_run_notice(dry_run)
