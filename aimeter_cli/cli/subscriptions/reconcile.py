"""``aimeter subscriptions reconcile``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import DryRun
from aimeter_cli.cli.subscriptions.references import Billables, references
from aimeter_cli.cli.subscriptions.stripe import asked_driver
from aimeter_cli.errors import InvalidInput, RowsFailed
from aimeter_cli.render.nouns.subscriptions import DEVIATION

if TYPE_CHECKING:
    from aimeter_cli.webhooks.reconcile import Deviation


def reconcile(
    ctx: typer.Context,
    billables: Billables = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every subscription with a Stripe id that has not ended.")
    ] = False,
    fix: Annotated[bool, typer.Option("--fix", help="Take over what Stripe has.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Read subscriptions, customers and unpaid invoices at Stripe; show what is not so here.

    E-mail and name of the billables count, too. --fix mends it as an event would; events that are
    older than the reading change nothing any more. What an operator decided here is kept, and
    shown. Exit 1 if a difference remains, 3 if one could not be read.

    Example: aimeter subscriptions reconcile --all --fix --dry-run
    """
    from aimeter_cli.webhooks.current import watched_subscriptions
    from aimeter_cli.webhooks.reconcile import reconcile as compare

    run = invocation(ctx)
    if bool(billables) == every:
        raise InvalidInput("give billables, such as user:42, or --all")
    app, driver = run.app, asked_driver(run, dry_run=not fix or dry_run)
    watched = watched_subscriptions(app.database, now=run.now(), billables=references(billables))
    found: list[Deviation] = []
    with run.progress("Asking Stripe", len(watched)) as advance:
        for each in compare(
            app.database, app.settings, driver, watched, now=run.now(), fix=fix and not dry_run
        ):
            found += each
            advance(1)
    run.out.rows(DEVIATION, found, empty=f"{len(watched)} subscription(s): nothing differs.")
    run.dry_run_notice(dry_run and fix)
    unread = {each.subscription_id for each in found if each.status == "unread"}
    if unread:
        raise RowsFailed(
            f"{len(unread)} of {len(watched)} subscriptions could not be compared",
            hint="They are listed with the reason; run it again.",
        )
    if any(each.status != "fixed" for each in found):
        raise typer.Exit(1)
