"""``aimeter overages``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from aimeter_cli.cli import completion
from aimeter_cli.cli.invocation import Invocation, invocation
from aimeter_cli.cli.options import BillableOption, DryRun, Yes
from aimeter_cli.errors import Conflict, InvalidInput, RowsFailed
from aimeter_cli.render.nouns.overages import OVERAGE, STRANDED

if TYPE_CHECKING:
    from aimeter_cli.domain.references import BillableRef
    from aimeter_cli.services.overages.stranded import Stranded

app = typer.Typer(no_args_is_help=True)

_Ids = Annotated[
    list[int] | None, typer.Argument(metavar="[ID…]", help="As overages list shows them.")
]
_RunId = Annotated[
    str | None,
    typer.Option("--run", metavar="RUN_ID", help="Of that sync; six characters are enough."),
]


@app.command("list")
def list_(
    ctx: typer.Context,
    unsynced: Annotated[
        bool, typer.Option("--unsynced", help="Not on an invoice yet, and not given up.")
    ] = False,
    synced: Annotated[bool, typer.Option("--synced", help="On an invoice item.")] = False,
    failed: Annotated[bool, typer.Option("--failed", help="Refused by Stripe.")] = False,
    status: Annotated[
        list[str] | None,
        typer.Option(help="Repeat for several.", autocompletion=completion.overage_statuses),
    ] = None,
    billable: BillableOption = None,
    period: Annotated[
        str | None, typer.Option(metavar="MONTH", help="Of service, such as 2026-10.")
    ] = None,
    run_id: _RunId = None,
    stranded: Annotated[
        bool, typer.Option("--stranded", help="On an item that no invoice takes within 35 days.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="At most so many.")] = 100,
) -> None:
    """List overages, the newest first; the totals on stderr are those of all that match.

    Example: aimeter overages list --unsynced
    """
    from aimeter_cli.services.overages.listing import list_overages, month_or_time, statuses_of

    run = invocation(ctx)
    statuses = statuses_of(unsynced=unsynced, synced=synced, failed=failed, status=status or ())
    month = month_or_time(period, run.app.settings.timezone) if period is not None else None
    reasons = _stranded(run, billable) if stranded else None
    is_narrowed = bool(statuses or billable or period or run_id or stranded)
    found = list_overages(
        run.app.database, statuses=statuses, billable=str(billable) if billable else None,
        period=month, run=run_id, stranded=reasons, limit=limit,
    )  # fmt: skip
    nobody = ""
    if billable is not None and not found.rows:
        from aimeter_cli.services.names import nobody_like

        nobody = nobody_like(run.app.database, billable)
    run.out.rows(
        STRANDED if stranded else OVERAGE, found.rows,
        empty=f"No overage matches.{nobody}" if is_narrowed else "No overage yet: no usage lies "
        "beyond its plan. See what is used: aimeter usage report", summary=found.summary,
    )  # fmt: skip


@app.command()
def show(ctx: typer.Context, overage_id: Annotated[int, typer.Argument(metavar="ID")]) -> None:
    """Show one overage.

    Example: aimeter overages show 17 --format json
    """
    from aimeter_cli.services.overages.listing import show_overage

    run = invocation(ctx)
    run.out.one(OVERAGE, show_overage(run.app.database, overage_id))


@app.command("mark-synced")
def mark_synced(
    ctx: typer.Context,
    overage_id: Annotated[int, typer.Argument(metavar="ID")],
    stripe_item: Annotated[str, typer.Argument(metavar="ii_…", help="Made by hand at Stripe.")],
    dry_run: DryRun = False,
) -> None:
    """Record that an overage was charged by hand; nothing will be sent for it.

    Example: aimeter overages mark-synced 17 ii_1PgafuLkdIwHu7ix
    """
    from aimeter_cli.services.overages import by_hand

    run = invocation(ctx)
    done = by_hand.mark_synced(
        run.app.database, overage_id, stripe_item, now=run.now(), dry_run=dry_run
    )
    run.out.one(OVERAGE, done)
    run.dry_run_notice(dry_run)


@app.command()
def waive(
    ctx: typer.Context,
    reason: Annotated[str, typer.Option(help="Kept on the overage.")],
    ids: _Ids = None,
    run_id: _RunId = None,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Give overages up. One on a pending item lowers it at the next sync.

    With --run all of that sync that can be; exit 3 if there are others, on an invoice for example.

    Example: aimeter overages waive 17 18 --reason "goodwill, ticket 8812" --yes
    """
    from aimeter_cli.services.overages import by_hand, by_run

    run = invocation(ctx)
    run.confirm(f"Waive {_which(run, ids, run_id)}?", yes=yes or dry_run)
    app, now = run.app, run.now()
    if run_id is not None:
        undone = by_run.waive_run(app.database, run_id, reason=reason, now=now, dry_run=dry_run)
    else:
        done = by_hand.waive(app.database, ids or (), reason=reason, now=now, dry_run=dry_run)
        undone = by_run.Undone(done)
    run.out.rows(OVERAGE, undone.changed, empty="Nothing was waived.")
    run.dry_run_notice(dry_run)
    _tell(run, undone.refused)


@app.command()
def retry(
    ctx: typer.Context,
    ids: Annotated[list[int] | None, typer.Argument(metavar="[ID…]")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every failed one.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Let failed overages be tried again; the next sync looks up first what became of them.

    Example: aimeter overages retry --all
    """
    from aimeter_cli.services.overages import by_hand

    run = invocation(ctx)
    if bool(ids) == all_:
        raise InvalidInput("retry: expected either ID… or --all")
    done = by_hand.retry(
        run.app.database, None if all_ else ids or [], now=run.now(), dry_run=dry_run
    )
    run.out.rows(OVERAGE, done, empty="No overage has failed.")
    run.dry_run_notice(dry_run)


@app.command()
def release(
    ctx: typer.Context,
    ids: _Ids = None,
    run_id: _RunId = None,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Let held overages be charged after all, by the next sync.

    An invoice item that a person deleted gets a successor; one whose amount a person changed gets
    ours again; late usage is charged, and so is what exceeds a guard's limit. With --run all that
    were held by that sync.

    Example: aimeter overages release 17 18 --yes
    """
    from aimeter_cli.services.overages import by_hand, by_run

    run = invocation(ctx)
    what = _which(run, ids, run_id, "held")
    run.confirm(f"Charge {what} after all?", yes=yes or dry_run)
    app, now = run.app, run.now()
    if run_id is not None:
        done = by_run.release_run(app.database, run_id, now=now, dry_run=dry_run)
    else:
        done = by_hand.release(app.database, ids or (), now=now, dry_run=dry_run)
    run.out.rows(OVERAGE, done, empty="Nothing was released.")
    run.dry_run_notice(dry_run)


@app.command()
def explain(
    ctx: typer.Context,
    overage_id: Annotated[int, typer.Argument(metavar="ID")],
    usages: Annotated[
        int, typer.Option("--usages", min=0, metavar="N", help="The newest N of them.")
    ] = 50,
) -> None:
    """Show how an overage came about: usages, terms, rates, rounding, item, requests, invoice.

    Example: aimeter overages explain 17 --usages 10
    """
    from aimeter_cli.render.nouns.explanation import EXPLANATION, page
    from aimeter_cli.render.sections import write_page
    from aimeter_cli.services.overages.explain import explain as explained

    run = invocation(ctx)
    found = explained(run.app.database, overage_id, usages=usages)
    if run.out.is_for_people:
        write_page(run.out, page(found))
    else:
        run.out.one(EXPLANATION, found)


def _which(run: Invocation, ids: list[int] | None, run_id: str | None, *statuses: str) -> str:
    """What is to be changed, in words. Raises InvalidInput, NotFound."""
    if bool(ids) == (run_id is not None):
        raise InvalidInput("expected either ID… or --run RUN_ID")
    if run_id is None:
        return f"{len(ids or ())} overage(s)"
    from aimeter_cli.services.overages.listing import list_overages

    found = list_overages(run.app.database, statuses=statuses or None, run=run_id, limit=1)
    return f"{'; '.join(found.summary) or 'nothing'}, of run {run_id}"


def _stranded(run: Invocation, billable: BillableRef | None) -> list[Stranded]:
    from aimeter_cli.services.overages.stranded import find_stranded

    return find_stranded(run.app.database, run.app.settings, now=run.now(), billable=billable)


def _tell(run: Invocation, refused: Sequence[Conflict]) -> None:
    """Raises RowsFailed where there is any."""
    for refusal in refused:
        run.console.warn(f"{refusal.message}: {refusal.hint}")
    if refused:
        raise RowsFailed(f"{len(refused)} overage(s) of this run cannot be waived")
