"""``aimeter sync-stripe-overages`` and ``aimeter sync``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from aimeter_cli.cli.invocation import Invocation, invocation
from aimeter_cli.cli.options import BillableOption, DryRun
from aimeter_cli.errors import RowsFailed
from aimeter_cli.render.nouns.sync import BLOCKED, FINAL_INVOICE, STATE, SUMMARY, SYNC_ITEM

if TYPE_CHECKING:
    from aimeter_cli.domain.references import BillableRef
    from aimeter_cli.services.sync.report import Report

app = typer.Typer(no_args_is_help=True)


def sync_stripe_overages(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="Overages at the most.")] = 100,
    billable: BillableOption = None,
    retry_now: Annotated[
        bool, typer.Option("--retry-now", help="Do not wait for the back-off.")
    ] = False,
    max_seconds: Annotated[
        float | None, typer.Option(min=1, metavar="S", help="Begin nothing new after that.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show exactly what would be sent; send nothing.")
    ] = False,
) -> None:
    """Put the oldest unsent overages on their customers' pending Stripe invoice items.

    For cron: safe to overlap, to kill and to repeat. Exit 3 if a row failed or stays unknown.

    Example: aimeter sync-stripe-overages --limit 50
    """
    from aimeter_cli.services.sync.job import run_job
    from aimeter_cli.services.sync.plan import Options
    from aimeter_cli.signals import stop_on_signals

    run = invocation(ctx)
    options = Options(limit, _billable_id(run, billable), dry_run, retry_now, max_seconds)
    with stop_on_signals() as stop, run.progress("Syncing") as advance:
        report = run_job(run.app, options, stop=stop, advance=advance)
    _show(run, report)
    stop.raise_if_signalled()
    if report.fault is not None:
        raise report.fault
    if report.error is not None:
        raise report.error
    if report.exit_code:
        raise RowsFailed("some overages are not settled", hint=report.hint)


@app.command()
def pause(
    ctx: typer.Context,
    reason: Annotated[str, typer.Option(help="Shown by every sync until it is resumed.")],
    dry_run: DryRun = False,
) -> None:
    """Pause the sync on every host that uses this database.

    Example: aimeter sync pause --reason "Stripe incident"
    """
    from aimeter_cli.services import installation

    run = invocation(ctx)
    run.out.one(STATE, installation.pause(run.app.database, reason, now=run.now(), dry_run=dry_run))
    run.dry_run_notice(dry_run)


@app.command()
def resume(ctx: typer.Context, dry_run: DryRun = False) -> None:
    """Let the sync go on.

    Example: aimeter sync resume
    """
    from aimeter_cli.services import installation

    run = invocation(ctx)
    run.out.one(STATE, installation.resume(run.app.database, dry_run=dry_run))
    run.dry_run_notice(dry_run)


@app.command()
def status(ctx: typer.Context) -> None:
    """Show whether the sync is paused, and by whom this installation is known at Stripe.

    Example: aimeter sync status
    """
    from aimeter_cli.services import installation

    run = invocation(ctx)
    run.out.one(STATE, installation.sync_state(run.app.database))


def _billable_id(run: Invocation, ref: BillableRef | None) -> int | None:
    if ref is None:
        return None
    from aimeter_cli.services.billables import show_billable

    return show_billable(run.app.database, ref).id


def _show(run: Invocation, report: Report) -> None:
    if run.out.is_for_people:
        if report.items:
            run.out.rows(SYNC_ITEM, report.items, empty="")
        if report.final_invoices:
            run.out.rows(FINAL_INVOICE, report.final_invoices, empty="")
        if report.blocked:
            run.out.rows(BLOCKED, report.blocked, empty="")
        run.out.text(report.in_words)
    else:
        run.out.one(SUMMARY, report)
    for notice in report.notices:
        run.console.notice(notice)
    run.dry_run_notice(report.dry_run)
