"""The migrations make exactly the schema that the models describe, on both databases."""

from __future__ import annotations

import stat
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import String, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import AutoString

from aimeter_cli.db.engine import Database
from aimeter_cli.errors import Conflict, DatabaseError
from aimeter_cli.migrations import HEAD
from aimeter_cli.migrations.backup import backup_sqlite
from aimeter_cli.migrations.upgrade import current_revision, ensure_current, upgrade
from aimeter_cli.models.registry import METADATA


def _types_differ(_context: Any, _found: Any, _said: Any, found: Any, said: Any) -> bool | None:
    """SQLModel's texts are TEXT by another name; for other types Alembic's own comparison holds."""
    both_texts = isinstance(found, String) and isinstance(said, AutoString)
    return False if both_texts else None


def test_the_migrated_schema_is_that_of_the_models(any_database: Database) -> None:
    with any_database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": _types_differ})
        assert compare_metadata(context, METADATA) == []


def test_indexes_and_checks_are_migrated_too(any_database: Database) -> None:
    """Alembic compares neither partial indexes' conditions nor checks: their names are compared."""
    query = {
        "sqlite": "SELECT group_concat(sql, ' ') FROM sqlite_master",
        "postgresql": "SELECT (SELECT string_agg(conname, ' ') FROM pg_constraint) || ' ' || "
        "(SELECT string_agg(indexdef, ' ') FROM pg_indexes)",
    }
    with any_database.read() as session:
        dialect = session.connection().dialect.name
        schema = session.connection().execute(text(query[dialect])).scalar_one()
    for table in METADATA.tables.values():
        named = [*table.constraints, *table.indexes]
        for item in named:
            assert str(getattr(item, "name", None) or "") in schema, item


def test_the_newest_revision_is_known_without_alembic() -> None:
    config = Config()
    config.set_main_option("script_location", "aimeter_cli:migrations")
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_upgrading_twice_changes_nothing(any_database: Database) -> None:
    assert upgrade(any_database) == (HEAD, HEAD, None)
    assert current_revision(any_database) == HEAD


def test_an_empty_sqlite_file_is_migrated_on_first_use(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/sub/new.db")
    ensure_current(database)
    assert current_revision(database) == HEAD
    assert stat.S_IMODE((tmp_path / "sub" / "new.db").stat().st_mode) == 0o600
    database.dispose()


def test_an_empty_postgresql_database_must_be_upgraded_by_hand(empty_pg_url: str) -> None:
    database = Database(empty_pg_url)
    with pytest.raises(DatabaseError) as caught:
        ensure_current(database)
    assert caught.value.message == (
        f"the database {database.safe_url} is not migrated (it is empty, expected {HEAD})"
    )
    assert (caught.value.hint, caught.value.exit_code) == ("aimeter db upgrade", 5)
    upgrade(database)
    ensure_current(database)
    database.dispose()


def test_a_newer_database_is_refused(any_database: Database) -> None:
    with any_database.write() as session:
        session.connection().execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match="newer than this aimeter knows"):
        ensure_current(any_database)


FIRST_USE = textwrap.dedent("""
    import sys
    from aimeter_cli.db.engine import Database
    from aimeter_cli.migrations.upgrade import upgrade
    database = Database(sys.argv[1])
    upgrade(database)
    database.dispose()
""")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_four_processes_may_migrate_at_once(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    if kind == "postgresql":
        url = request.getfixturevalue("empty_pg_url")
    started = [
        subprocess.Popen([sys.executable, "-c", FIRST_USE, url], stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    errors = [process.communicate(timeout=120)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0, 0], errors
    database = Database(url)
    assert current_revision(database) == HEAD
    database.dispose()


def test_a_backup_is_whole_private_and_overwrites_nothing(
    database: Database, tmp_path: Path
) -> None:
    assert database.file is not None
    with database.write() as session:
        session.connection().execute(
            text(
                "INSERT INTO ai_billables (type, external_id, created_at) VALUES ('a', 'b', '2026')"
            )
        )
        target = tmp_path / "copy.db"  # while a writer is under way
        size = backup_sqlite(database.file, target)
    assert size == target.stat().st_size
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    copy = Database(f"sqlite:///{target}")
    assert current_revision(copy) == HEAD
    copy.dispose()
    with pytest.raises(Conflict, match="exists already"):
        backup_sqlite(database.file, target)
    assert not list(tmp_path.glob("*.partial"))


def test_a_backup_that_cannot_be_written_is_an_error(database: Database, tmp_path: Path) -> None:
    assert database.file is not None
    with pytest.raises(DatabaseError, match="cannot back up to"):
        backup_sqlite(database.file, tmp_path / "none" / "copy.db")


@pytest.mark.parametrize(
    "statement",
    [
        (
            "INSERT INTO ai_plans (slug, name, currency, token_limit, trial_days, features, "
            "is_active, created_at, updated_at) VALUES ('a', 'a', 'usd', -1, 0, '[]', true, "
            "'2026-01-01', '2026-01-01')"
        ),
        (
            "INSERT INTO ai_rates (base, quote, value, source, effective_at, created_at) VALUES "
            "('usd', 'usd', '1', 'x', '2026-01-01', '2026-01-01')"
        ),
        "INSERT INTO ai_plan_prices (stripe_price_id, plan_id) VALUES ('price_1', 99)",
        "INSERT INTO ai_installation (id, install_id, created_at) VALUES (2, 'x', '2026-01-01')",
    ],
)
def test_the_database_itself_refuses_what_cannot_be(statement: str, any_database: Database) -> None:
    with pytest.raises(IntegrityError), any_database.write() as session:
        session.connection().execute(text(statement))
