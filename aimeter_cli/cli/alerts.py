"""``aimeter alerts``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from aimeter_cli.cli.invocation import Invocation, invocation
from aimeter_cli.cli.options import DryRun
from aimeter_cli.errors import RowsFailed
from aimeter_cli.render.nouns.alerts import ALERT, ALERT_CHECK, TEST_ALERT, TOLD

if TYPE_CHECKING:
    from aimeter_cli.services.alerts.check import CheckReport
    from aimeter_cli.services.events.deliver import DeliveryReport

app = typer.Typer(no_args_is_help=True)


@app.command()
def check(ctx: typer.Context, dry_run: DryRun = False) -> None:
    """See what needs a person, and tell those whom the configuration's alerts name.

    For cron, every ten minutes. Asks nothing of Stripe. An alert is told once when it begins,
    again after its repeat, and when it has been over for its resolve_after. What happened once,
    such as a failed payment, is delivered, too. Exit 3 if something could not be delivered: it is
    tried again later.

    Example: aimeter alerts check
    """
    from aimeter_cli.services.alerts.check import COMMAND
    from aimeter_cli.services.alerts.check import check as check_alerts
    from aimeter_cli.services.events.deliver import deliver
    from aimeter_cli.services.jobs import running
    from aimeter_cli.signals import stop_on_signals

    run = invocation(ctx)
    database, settings = run.app.database, run.app.settings
    names = [sink.name for sink in settings.alerts]
    with stop_on_signals() as stop, running(database, COMMAND, dry_run=dry_run) as job:
        report = check_alerts(database, settings, now=run.now(), dry_run=dry_run)
        job.counts = report.counts
        delivery = deliver(
            database, settings, now=run.now(), limit=1000, stop=stop, only=names, dry_run=dry_run
        )
        job.exit_code = delivery.exit_code
    _show(run, report, delivery)
    stop.raise_if_signalled()
    if delivery.exit_code:
        raise RowsFailed(
            "some alerts are not delivered", hint="aimeter events list --undelivered shows why."
        )


@app.command("list")
def list_(
    ctx: typer.Context,
    all_: Annotated[bool, typer.Option("--all", help="Closed ones, too.")] = False,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="At most so many.")] = 100,
) -> None:
    """List what is open, the newest first, as the last check has seen it.

    Example: aimeter alerts list --all
    """
    from aimeter_cli.services.alerts.listing import list_alerts

    run = invocation(ctx)
    found = list_alerts(run.app.database, closed_too=all_, limit=limit)
    run.out.rows(ALERT, found, empty="No alert is open: aimeter alerts check looks again.")


@app.command("test")
def send(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="As the configuration calls it.")],
    dry_run: DryRun = False,
) -> None:
    """Send a test alert, really, where an alert of that name goes. The database is not touched.

    Example: aimeter alerts test ops
    """
    from aimeter_cli.services.alerts.listing import send_test

    run = invocation(ctx)
    sent = send_test(run.app.settings, name, now=run.now(), dry_run=dry_run)
    run.out.one(TEST_ALERT, sent)
    run.dry_run_notice(dry_run)


def _show(run: Invocation, report: CheckReport, delivery: DeliveryReport) -> None:
    if run.out.is_for_people:
        run.out.rows(TOLD, report.told)
        done = f"{delivery.delivered} delivered, {delivery.failed} failed"
        run.out.text(f"{report.open} open" + ("" if report.dry_run else f"; {done}"))
        for each in delivery.deliveries:
            if each.error:
                run.console.warn(f"{each.sink}: {each.error}")
    else:
        told = {"dry_run": report.dry_run, "open": report.open, "told": report.told}
        run.out.one(ALERT_CHECK, {**told, "delivery": [delivery]})
    if not run.app.settings.alerts:
        run.console.notice("nobody is told: [[alerts]] in aimeter.toml names who")
    run.dry_run_notice(report.dry_run)
