"""Bring a database to the newest schema, and see where it stands.

An SQLite database is made and migrated by itself on first use, after a backup of what was there;
any other by ``aimeter db upgrade``. Alembic is imported only when there is something to do.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from aimeter_cli.db.engine import Database
from aimeter_cli.errors import DatabaseError
from aimeter_cli.migrations import HEAD
from aimeter_cli.migrations.backup import backup_sqlite

_ADVISORY_LOCK = 7_201_955_110


def current_revision(database: Database) -> str | None:
    """The revision of the schema, None for an empty database. Raises DatabaseError."""
    with database.read() as session:
        return _revision(session.connection())


def ensure_current(database: Database) -> bool:
    """Migrate SQLite by itself; for any other database raise DatabaseError (exit 5).

    True: it was empty, which may be because its path is mistyped.
    """
    found = current_revision(database)
    if found == HEAD:
        return False
    if found is not None and found > HEAD:
        raise DatabaseError(
            f"the database is at revision {found}, newer than this aimeter knows ({HEAD})",
            hint="Upgrade aimeter-cli on this host.",
        )
    if database.is_sqlite:
        upgrade(database)
        return found is None
    state = f"at revision {found}" if found else "empty"
    raise DatabaseError(
        f"the database {database.safe_url} is not migrated (it is {state}, expected {HEAD})",
        hint="aimeter db upgrade",
    )


def upgrade(database: Database) -> tuple[str | None, str, Path | None]:
    """Migrate to the newest revision; returns (before, after, backup file).

    Safe to run from many processes at once: one migrates, the others wait and find it done.
    """
    backup: Path | None = None
    before = current_revision(database)
    if before is not None and before != HEAD and database.file is not None:
        backup = database.file.with_name(f"{database.file.name}.{before}.backup")
        backup_sqlite(database.file, backup, replace=True)
    with database.write() as session:
        connection = session.connection()
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:k)"), {"k": _ADVISORY_LOCK})
        if _revision(connection) != HEAD:
            _run_alembic(connection)
    return before, HEAD, backup


def _run_alembic(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "aimeter_cli:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    try:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except (OperationalError, ProgrammingError, DBAPIError) as error:
        raise DatabaseError(f"cannot read the database: {error.orig}") from None
