"""``aimeter db``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import DryRun, Yes
from aimeter_cli.render.nouns.database import BACKUP, COPIED, RESTORED, STATE, UPGRADE

app = typer.Typer(no_args_is_help=True)


@app.command()
def upgrade(ctx: typer.Context, dry_run: DryRun = False) -> None:
    """Make or migrate the database. SQLite is copied first, and needs no such command.

    Example: aimeter db upgrade
    """
    from aimeter_cli.migrations import HEAD
    from aimeter_cli.migrations.upgrade import current_revision
    from aimeter_cli.migrations.upgrade import upgrade as migrate

    run = invocation(ctx)
    database = run.app.unchecked_database
    before = current_revision(database)
    after, backup = HEAD, None
    if not dry_run:
        before, after, backup = migrate(database)
    told = {"database": database.safe_url, "before": before, "after": after, "backup": backup}
    run.out.one(UPGRADE, told)
    run.dry_run_notice(dry_run)


@app.command()
def current(ctx: typer.Context) -> None:
    """Show which database this is, and whether its schema is the newest.

    Example: aimeter db current --format json
    """
    from aimeter_cli.migrations import HEAD
    from aimeter_cli.migrations.upgrade import current_revision

    run = invocation(ctx)
    database = run.app.unchecked_database
    revision = current_revision(database)
    run.out.one(
        STATE,
        {
            "database": database.safe_url,
            "revision": revision,
            "newest": HEAD,
            "is_current": revision == HEAD,
        },
    )


@app.command()
def backup(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Must not exist yet.")],
) -> None:
    """Copy an SQLite database while others go on writing. The copy has mode 0600.

    Example: aimeter db backup aimeter-2026-11-01.db
    """
    from aimeter_cli.migrations.backup import backup_database

    run = invocation(ctx)
    size = backup_database(run.app.unchecked_database, file)
    run.out.one(BACKUP, {"file": file, "bytes": size})


@app.command("mark-restored")
def mark_restored(ctx: typer.Context, yes: Yes = False, dry_run: DryRun = False) -> None:
    """Say that a backup has taken the database's place, before the next sync.

    What Stripe may have got since the backup is then looked up before anything is sent. Import the
    usage recorded since the backup again, too: the amounts at Stripe are set to what is known here.

    Example: aimeter db mark-restored --yes
    """
    from aimeter_cli.services.restoring import mark_restored as mark

    run = invocation(ctx)
    run.confirm("Look up every pending invoice item before it is sent?", yes=yes or dry_run)
    run.out.one(RESTORED, mark(run.app.database, now=run.now(), dry_run=dry_run))
    run.dry_run_notice(dry_run)


@app.command("mark-copy")
def mark_copy(ctx: typer.Context, yes: Yes = False, dry_run: DryRun = False) -> None:
    """Make a copy of a database, for staging, an installation of its own.

    It gets a new install id, forgets every Stripe id, and its sync is paused.

    Example: aimeter db mark-copy --yes --database-url sqlite:///staging.db
    """
    from aimeter_cli.services.copying import mark_copy as mark

    run = invocation(ctx)
    where = run.app.unchecked_database.safe_url
    run.confirm(f"Forget every Stripe id in {where}?", yes=yes or dry_run)
    run.out.one(COPIED, mark(run.app.database, now=run.now(), dry_run=dry_run))
    run.dry_run_notice(dry_run)
