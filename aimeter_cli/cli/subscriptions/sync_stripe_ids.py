"""``aimeter subscriptions sync-stripe-ids``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from aimeter_cli.cli.invocation import Invocation, invocation
from aimeter_cli.cli.options import DryRun
from aimeter_cli.cli.subscriptions.references import Billables, references
from aimeter_cli.cli.subscriptions.stripe import asked_driver, take_up_waiting
from aimeter_cli.errors import RowsFailed
from aimeter_cli.render.nouns.subscriptions import FOUND_IDS

if TYPE_CHECKING:
    from aimeter_cli.services.subscriptions.found_ids import FoundIds


def sync_stripe_ids(
    ctx: typer.Context,
    billables: Billables = None,
    every: Annotated[
        bool, typer.Option("--all", help="Check ids that are stored, too; set what is missing.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Find missing Stripe ids: by metadata aimeter_billable=TYPE:ID, else by e-mail. For cron.

    What is ambiguous is shown, with what to type, and left alone; so is an id that is stored. Then
    the events that waited for a subscription are handled. Exit 3 if Stripe did not answer for some.

    Example: aimeter subscriptions sync-stripe-ids --dry-run
    """
    from aimeter_cli.services.jobs import running
    from aimeter_cli.services.subscriptions import sync_stripe_ids as syncing

    run = invocation(ctx)
    database, refs = run.app.database, references(billables)
    driver = asked_driver(run, dry_run=dry_run)
    wanted = syncing.wanted_ids(database, now=run.now(), billables=refs, include_complete=every)
    found: list[FoundIds] = []
    command = "subscriptions sync-stripe-ids"
    with (
        running(database, command, dry_run=dry_run) as job,
        run.progress("Asking Stripe", len(wanted)) as advance,
    ):
        for each in syncing.sync_stripe_ids(
            database, driver, wanted, now=run.now(), dry_run=dry_run,
            concurrency=run.app.settings.stripe_concurrency,
        ):  # fmt: skip
            found.append(each)
            advance(1)
        job.counts = _counts(found)
        failed = job.counts.get("failed", 0) + len(wanted) - len(found)
        job.exit_code = RowsFailed.exit_code if failed else 0
    run.out.rows(FOUND_IDS, found, empty="No Stripe id is missing.")
    _take_up(run, found, dry_run=dry_run)
    run.dry_run_notice(dry_run)
    if failed:
        raise RowsFailed(
            f"Stripe could not be asked for {failed} of {len(wanted)} billables",
            hint="They are looked up again by the next run.",
        )


def _counts(found: list[FoundIds]) -> dict[str, int]:
    statuses = [each.status for each in found]
    return {status: statuses.count(status) for status in dict.fromkeys(statuses)}


def _take_up(run: Invocation, found: list[FoundIds], *, dry_run: bool) -> None:
    known = [each.stripe_subscription_id for each in found if each.known_now]
    ids = [each for each in known if each is not None]
    if ids and not dry_run:
        take_up_waiting(run, ids)
