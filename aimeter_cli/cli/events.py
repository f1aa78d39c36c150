"""``aimeter events``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from aimeter_cli.cli.invocation import Invocation, invocation
from aimeter_cli.cli.options import BillableOption, DryRun, Yes, moment
from aimeter_cli.domain.events import EventName
from aimeter_cli.errors import InvalidInput, RowsFailed
from aimeter_cli.render.nouns.events import ATTEMPT, DELIVERY_RUN, EVENT, PRUNED

if TYPE_CHECKING:
    from aimeter_cli.services.events.deliver import DeliveryReport

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_(
    ctx: typer.Context,
    name: Annotated[
        EventName | None, typer.Option(metavar="NAME", help="Such as OverageCharged.")
    ] = None,
    billable: BillableOption = None,
    since: Annotated[
        datetime | None,
        typer.Option(parser=moment("--since"), metavar="TIME", help="Not before that."),
    ] = None,
    undelivered: Annotated[
        bool, typer.Option("--undelivered", help="New, or on its way to a sink.")
    ] = False,
    failed: Annotated[bool, typer.Option("--failed", help="Given up for a sink.")] = False,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="At most so many.")] = 100,
) -> None:
    """List what happened, the newest first, and where it stands at each sink.

    Example: aimeter events list --name OverageCharged --since 2026-11-01
    """
    from aimeter_cli.services.events.stored import list_events

    run = invocation(ctx)
    found = list_events(
        run.app.database, name=name, billable=billable, since=since, undelivered=undelivered,
        failed=failed, limit=limit,
    )  # fmt: skip
    is_narrowed = bool(name or billable or since or undelivered or failed)
    run.out.rows(
        EVENT, found,
        empty="No event matches." if is_narrowed else "No event yet. Usage, credits and Stripe "
        "make them: aimeter usage record --help",
    )  # fmt: skip


@app.command()
def show(ctx: typer.Context, event_id: Annotated[int, typer.Argument(metavar="ID")]) -> None:
    """Show an event with what it tells, and its deliveries.

    Example: aimeter events show 17 --format json
    """
    from aimeter_cli.services.events.stored import show_event

    run = invocation(ctx)
    run.out.one(EVENT, show_event(run.app.database, event_id))


@app.command()
def deliver(
    ctx: typer.Context,
    limit: Annotated[
        int, typer.Option(min=1, metavar="N", help="To each sink at most so many.")
    ] = 1000,
    sink: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only to that one of the configuration.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Deliver events to the sinks of the configuration, each at least once, oldest first.

    For cron: safe to overlap, to kill and to repeat. Exit 3 if one could not be delivered: it is
    tried again after 30 seconds, then later and later, event_max_attempts times. The first run
    ever delivers nothing older than a day.

    Example: aimeter events deliver --limit 500
    """
    from aimeter_cli.services.events.deliver import deliver as deliver_events
    from aimeter_cli.signals import stop_on_signals

    run = invocation(ctx)
    with stop_on_signals() as stop, run.progress("Delivering") as advance:
        report = deliver_events(
            run.app.database, run.app.settings, now=run.now(), limit=limit, stop=stop,
            only=[sink] if sink is not None else None, dry_run=dry_run, advance=advance,
        )  # fmt: skip
    _show(run, report)
    stop.raise_if_signalled()
    if report.exit_code:
        raise RowsFailed(
            "some events are not delivered", hint="aimeter events list --undelivered shows why."
        )


@app.command()
def retry(
    ctx: typer.Context,
    ids: Annotated[
        list[int] | None, typer.Argument(metavar="[ID…]", help="As events list shows them.")
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Every one that was given up.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Let events that are not delivered be due at once; the next delivery takes them.

    Example: aimeter events retry --failed
    """
    from aimeter_cli.services.events.stored import retry_events

    run = invocation(ctx)
    if bool(ids) == failed:
        raise InvalidInput("retry: expected either ID… or --failed")
    done = retry_events(run.app.database, None if failed else ids, dry_run=dry_run)
    run.out.rows(EVENT, done, empty="No event was given up.")
    run.dry_run_notice(dry_run)


@app.command()
def prune(
    ctx: typer.Context,
    older_than: Annotated[str, typer.Option(metavar="AGE", help="Such as 90d.")],
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Delete old events. What is new, on its way to a sink, or given up stays.

    Example: aimeter events prune --older-than 90d --yes
    """
    from aimeter_cli.services.events.stored import prune_events
    from aimeter_cli.settings.parse import duration

    run = invocation(ctx)
    try:
        age = duration(older_than)
    except InvalidInput as error:
        raise InvalidInput(f"--older-than: {error.message}") from None
    run.confirm(f"Delete events older than {older_than}?", yes=yes or dry_run)
    app, now = run.app, run.now()
    count = prune_events(app.database, app.settings, older_than=age, now=now, dry_run=dry_run)
    run.out.one(PRUNED, {"before": now - age, "events": count})
    run.dry_run_notice(dry_run)


def _show(run: Invocation, report: DeliveryReport) -> None:
    """For people: what would be delivered, or what was not; then the counts."""
    if run.out.is_for_people:
        shown = [each for each in report.deliveries if each.status != "delivered"]
        run.out.rows(ATTEMPT, shown)
        counts = f"{report.delivered} delivered, {report.failed} failed"
        if report.dry_run:
            counts = f"{report.selected} to be delivered"
        run.out.text(f"{report.events} new, {counts}, {report.remaining} remaining")
    else:
        run.out.one(DELIVERY_RUN, report)
    if not run.app.settings.destinations:
        run.console.notice("no sink is configured: see event_sinks, alerts in aimeter config show")
    run.dry_run_notice(report.dry_run)
