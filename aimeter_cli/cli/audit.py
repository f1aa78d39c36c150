"""``aimeter audit``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from aimeter_cli.cli.invocation import Invocation, invocation
from aimeter_cli.cli.options import BillableOption
from aimeter_cli.render.nouns.audit import AUDIT, BALANCE, DIFFERENCE

if TYPE_CHECKING:
    from aimeter_cli.services.audit.run import Audit


def audit(
    ctx: typer.Context,
    remote: Annotated[
        bool, typer.Option("--remote", help="Read every pending item at Stripe, too.")
    ] = False,
    billable: BillableOption = None,
) -> None:
    """Recompute everything from the usages and compare, to the nano; exit 1 if anything differs.

    Changes nothing, here or at Stripe. CSV and TSV have the differences.

    Example: aimeter audit --remote
    """
    from aimeter_cli.services.audit.run import run_audit
    from aimeter_cli.services.billables import billable_named

    run = invocation(ctx)
    billable_id = None
    if billable is not None:
        with run.app.database.read() as session:
            billable_id = billable_named(session, billable).id
    driver = run.app.driver if remote else None
    with run.progress("Checking") as advance:
        found = run_audit(run.app.database, billable_id=billable_id, driver=driver, advance=advance)
    _show(run, found)
    if not found.adds_up:
        raise typer.Exit(1)


def _show(run: Invocation, found: Audit) -> None:
    if run.out.format in ("csv", "tsv"):
        run.out.rows(DIFFERENCE, found.differences)
    elif not run.out.is_for_people:
        run.out.one(AUDIT, found)
    else:
        run.out.rows(DIFFERENCE, found.differences)
        run.out.rows(BALANCE, found.totals)
        run.out.text(found.in_words)
    for note in found.notes:
        run.console.notice(note)
