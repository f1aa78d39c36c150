"""Database and migration."""

from __future__ import annotations

from collections.abc import Iterator
from stat import S_IMODE

from aimeter_cli.app import App
from aimeter_cli.doctor.check import Check
from aimeter_cli.migrations import HEAD
from aimeter_cli.migrations.upgrade import current_revision


def database(app: App) -> Iterator[Check]:
    """Whether it can be reached, and whether others on this host can read it."""
    found = app.unchecked_database
    with found.read() as session:
        session.connection()
    yield Check("database", "ok", found.safe_url)
    if found.file is not None:
        mode = S_IMODE(found.file.stat().st_mode)
        if mode & 0o077:
            yield Check(
                "database file", "warning", f"others can read it (mode {mode:04o})",
                f"chmod 600 {found.file}",
            )  # fmt: skip


def migration(app: App) -> Iterator[Check]:
    """Whether the schema is the newest; SQLite brings itself there."""
    before = current_revision(app.unchecked_database)
    _ = app.database
    told = f"revision {HEAD}"
    if before is None:
        yield Check(
            "migration", "warning", f"{told}, made just now: the database was empty",
            "If that surprises you, look at database_url: aimeter config show.",
        )  # fmt: skip
        return
    if before != HEAD:
        told += f", migrated from {before} just now"
    yield Check("migration", "ok", told)
