"""An online copy of an SQLite database: consistent, while others go on writing."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from aimeter_cli.db.engine import Database
from aimeter_cli.errors import ConfigurationError, Conflict, DatabaseError


def backup_sqlite(source: Path, target: Path, *, replace: bool = False) -> int:
    """Copy ``source`` to ``target`` (mode 0600) and return its size in bytes.

    Raises Conflict if the target exists and ``replace`` is not set, DatabaseError if the copy
    cannot be written. A half-written copy never takes the target's name.
    """
    if target.exists() and not replace:
        raise Conflict(f"{target} exists already", hint="Name another file, or remove it first.")
    partial = target.with_name(target.name + ".partial")
    try:
        partial.unlink(missing_ok=True)
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as origin,
            closing(sqlite3.connect(partial)) as copy,
        ):
            origin.backup(copy)
        partial.replace(target)
    except (OSError, sqlite3.Error) as error:
        partial.unlink(missing_ok=True)
        raise DatabaseError(f"cannot back up to {target}: {error}") from None
    return target.stat().st_size


def backup_database(database: Database, target: Path) -> int:
    """Copy an SQLite database to a new file; returns its size in bytes.

    Raises ConfigurationError for any other database, and as ``backup_sqlite`` does.
    """
    if database.file is None:
        raise ConfigurationError(
            "aimeter db backup copies SQLite files; this database is another one",
            hint=f"pg_dump --format=custom --file={target} {database.url.database}",
        )
    return backup_sqlite(database.file, target)
