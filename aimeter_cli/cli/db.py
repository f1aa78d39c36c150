"""``aimeter db``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import DryRun
from aimeter_cli.render.nouns.database import BACKUP, STATE, UPGRADE

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
