"""``aimeter overages``."""

from __future__ import annotations

from typing import Annotated

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import BillableOption, DryRun, Yes
from aimeter_cli.errors import InvalidInput
from aimeter_cli.render.nouns.overages import OVERAGE

app = typer.Typer(no_args_is_help=True)

_Ids = Annotated[list[int], typer.Argument(metavar="ID…", help="As overages list shows them.")]


@app.command("list")
def list_(
    ctx: typer.Context,
    unsynced: Annotated[
        bool, typer.Option("--unsynced", help="Not on an invoice yet, and not given up.")
    ] = False,
    synced: Annotated[bool, typer.Option("--synced", help="On an invoice item.")] = False,
    failed: Annotated[bool, typer.Option("--failed", help="Refused by Stripe.")] = False,
    status: Annotated[list[str] | None, typer.Option(help="Repeat for several.")] = None,
    billable: BillableOption = None,
    period: Annotated[
        str | None, typer.Option(metavar="MONTH", help="Of service, such as 2026-10.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="At most so many.")] = 100,
) -> None:
    """List overages, the newest first; the totals on stderr are those of all that match.

    Example: aimeter overages list --unsynced
    """
    from aimeter_cli.services.overages.listing import list_overages, month_or_time, statuses_of

    run = invocation(ctx)
    statuses = statuses_of(unsynced=unsynced, synced=synced, failed=failed, status=status or ())
    month = month_or_time(period, run.app.settings.timezone) if period is not None else None
    found = list_overages(
        run.app.database, statuses=statuses, billable=str(billable) if billable else None,
        period=month, limit=limit,
    )  # fmt: skip
    run.out.rows(OVERAGE, found.rows, empty="No overage matches.")
    for line in found.summary:
        run.console.notice(line)


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
    ids: _Ids,
    reason: Annotated[str, typer.Option(help="Kept on the overage.")],
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Give overages up. One on a pending item lowers it at the next sync.

    Example: aimeter overages waive 17 18 --reason "goodwill, ticket 8812" --yes
    """
    from aimeter_cli.services.overages import by_hand

    run = invocation(ctx)
    run.confirm(f"Waive {len(ids)} overage(s)?", yes=yes or dry_run)
    done = by_hand.waive(run.app.database, ids, reason=reason, now=run.now(), dry_run=dry_run)
    run.out.rows(OVERAGE, done, empty="Nothing was waived.")
    run.dry_run_notice(dry_run)


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
def release(ctx: typer.Context, ids: _Ids, yes: Yes = False, dry_run: DryRun = False) -> None:
    """Let held overages be charged after all, by the next sync.

    An invoice item that a person deleted gets a successor; one whose amount a person changed gets
    ours again; late usage is charged.

    Example: aimeter overages release 17 18 --yes
    """
    from aimeter_cli.services.overages import by_hand

    run = invocation(ctx)
    run.confirm(f"Charge {len(ids)} held overage(s) after all?", yes=yes or dry_run)
    done = by_hand.release(run.app.database, ids, now=run.now(), dry_run=dry_run)
    run.out.rows(OVERAGE, done, empty="Nothing was released.")
    run.dry_run_notice(dry_run)
