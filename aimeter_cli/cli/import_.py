"""``aimeter import``: from other systems."""

from __future__ import annotations

from datetime import tzinfo
from typing import TYPE_CHECKING, Annotated

import typer

from aimeter_cli.cli.invocation import Invocation, invocation
from aimeter_cli.cli.options import DryRun, pairs
from aimeter_cli.errors import InvalidInput, RowsFailed
from aimeter_cli.render.nouns.laravel import IMPORT, LEFT_OUT, SUM, TABLE

if TYPE_CHECKING:
    from aimeter_cli.services.laravel.reconciliation import Reconciliation

app = typer.Typer(no_args_is_help=True)
_URL = "AIMETER_IMPORT_URL"


def _zone(text: str) -> tzinfo:
    from aimeter_cli.domain.periods import zone

    try:
        return zone(text)
    except InvalidInput as error:
        raise InvalidInput(f"--timezone: {error.message}") from None


@app.command()
def laravel(
    ctx: typer.Context,
    database_url: Annotated[
        str,
        typer.Argument(
            metavar="DATABASE_URL",
            envvar=_URL,
            show_envvar=False,
            help=f"Of the Laravel application. With a password rather in {_URL}.",
        ),
    ],
    names: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="CLASS=TYPE", help="By default App\\Models\\User is user."),
    ] = None,
    timezone: Annotated[
        str, typer.Option(metavar="ZONE", help="In which the application stores its times.")
    ] = "UTC",
    keep_existing: Annotated[
        bool, typer.Option("--keep-existing", help="Live subscriptions here win over theirs.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Move from the Laravel AI Metering package: plans, subscriptions, usages, overages, wallets.

    Reads only, in one snapshot; writes all or nothing. Usages are history: they count towards the
    limits of their periods, and charge nothing. Synced overages were charged elsewhere and are
    never sent; unsynced ones wait for the next sync, those of periods long over are held. The same
    import again changes nothing. CSV and TSV have the rows by table.

    Exit 3 if rows were left out, 1 if the sums of both sides differ: then nothing was kept.

    Example: aimeter import laravel mysql://metering@db.internal/shop --dry-run
    """
    from aimeter_cli.services.laravel.run import Options, import_laravel

    run = invocation(ctx)
    _warn_of_password(ctx, run, database_url)
    options = Options(pairs("--map", names or ()), _zone(timezone), keep_existing, dry_run)
    database, settings, now = run.app.database, run.app.settings, run.now()
    with run.progress("Importing") as advance:
        report = import_laravel(database, settings, database_url, options, now=now, advance=advance)
    _show(run, report)
    run.dry_run_notice(dry_run)
    if not report.adds_up:
        run.console.warn("the sums differ: nothing was imported")
        raise typer.Exit(1)
    if report.rows_left_out:
        raise RowsFailed(
            f"{report.rows_left_out:,} row(s) were left out; the others "
            + ("would be" if dry_run else "were")
            + " imported",
            hint=f"First: {report.left_out[0].table}: {report.left_out[0].reason}",
        )


def _show(run: Invocation, report: Reconciliation) -> None:
    if run.out.format in ("csv", "tsv"):
        run.out.rows(TABLE, report.tables)
    elif not run.out.is_for_people:
        run.out.one(IMPORT, report)
    else:
        for noun, rows in ((TABLE, report.tables), (SUM, report.sums), (LEFT_OUT, report.left_out)):
            if noun is not TABLE and rows:
                run.out.text("")
            run.out.rows(noun, rows)
    for note in report.notes:
        run.console.notice(note)


def _warn_of_password(ctx: typer.Context, run: Invocation, url: str) -> None:
    source = ctx.get_parameter_source("database_url")
    has_password = "@" in url and ":" in url.partition("://")[2].rpartition("@")[0]
    if source is not None and source.name == "COMMANDLINE" and has_password:
        run.console.warn(
            f"a password on the command line can be read by others on this host: set {_URL} instead"
        )
