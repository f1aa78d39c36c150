"""Engines that share what they have compiled.

Tests make thousands of them, and SQLAlchemy takes longer to compile a statement than to run it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine


@contextmanager
def sharing_compiled_statements() -> Iterator[None]:
    """Every Database that is made in the block compiles into one cache for its kind."""
    from aimeter_cli.db.engine import Database

    make = Database._make_engine
    first: dict[str, Engine] = {}

    def made(self: Database) -> Engine:
        engine = make(self)
        kind = engine.dialect.name
        if kind not in first or first[kind].dialect.server_version_info is None:
            first[kind] = engine  # whoever has been connected knows its server
        engine.dialect = first[kind].dialect
        engine._compiled_cache = first[kind]._compiled_cache
        return engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "_make_engine", made)
        yield
