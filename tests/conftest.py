"""Fixtures of all tests: databases of both kinds, the command, and a clock that stands still.

``database`` and ``pg_database`` are migrated and empty; ``any_database`` runs a test on both.
``cli`` runs the command in this process, ``cli_process`` as a process of its own.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from aimeter_cli.db.engine import Database
    from aimeter_cli.sandbox.client import SandboxControl
    from tests.support.postgres import Copies, PostgresServer

NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)
"""What the clock of the tests shows first."""

_MEMORY = "/dev/shm"
_NEEDED_BYTES = 3 << 30

_OURS = ("AI_METERING_", "AIMETER_", "STRIPE_", "_AIMETER_", "_TYPER_")
_TERMINAL = ("NO_COLOR", "FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "TERMINAL_WIDTH", "TERM")


def pytest_configure() -> None:
    """Temporary files lie in memory where there is room: what the databases sync takes no time."""
    with contextlib.suppress(OSError):
        room = os.statvfs(_MEMORY)
        if (
            "TMPDIR" not in os.environ
            and room.f_bavail * room.f_frsize > _NEEDED_BYTES
            and not room.f_flag & os.ST_NOEXEC
        ):
            os.environ["TMPDIR"] = _MEMORY
            tempfile.tempdir = None


def pytest_collection_finish() -> None:
    """What has been imported and collected is not looked through for garbage again and again."""
    gc.collect()
    gc.freeze()


class Clock:
    """Business time under a test's control."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **parts: float) -> datetime:
        """``clock.advance(days=1)`` moves on and returns the new time."""
        self.now += timedelta(**parts)
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No configuration of this host reaches a test; the working folder is the test's own."""
    for name in list(os.environ):
        if name.startswith(_OURS) or name in _TERMINAL:
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session", autouse=True)
def _compiled_once() -> Iterator[None]:
    from tests.support.engines import sharing_compiled_statements

    with sharing_compiled_statements():
        yield


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, copied for each test because migrating takes longer."""
    from aimeter_cli.db.engine import Database
    from aimeter_cli.migrations.upgrade import upgrade

    file = tmp_path_factory.mktemp("template") / "template.db"
    database = Database(f"sqlite:///{file}")
    upgrade(database)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.dispose()
    return file


@pytest.fixture
def database(tmp_path: Path, sqlite_template: Path) -> Iterator[Database]:
    """A migrated, empty SQLite file: ``aimeter.db`` in the test's folder."""
    from aimeter_cli.db.engine import Database

    file = tmp_path / "aimeter.db"
    shutil.copy(sqlite_template, file)
    file.chmod(0o600)
    made = Database(f"sqlite:///{file}")
    yield made
    made.dispose()


@pytest.fixture(scope="session")
def pg_server() -> Iterator[PostgresServer]:
    """One PostgreSQL server per worker."""
    from tests.support.postgres import running

    with running() as server:
        yield server


@pytest.fixture(scope="session")
def pg_migrated(pg_server: PostgresServer) -> Copies:
    """Its migrated databases."""
    from aimeter_cli.migrations.upgrade import upgrade
    from tests.support.postgres import Copies

    return Copies(pg_server, upgrade)


@pytest.fixture
def empty_pg_url(pg_server: PostgresServer) -> Iterator[str]:
    """The URL of a PostgreSQL database without any table."""
    name = pg_server.make()
    yield pg_server.url(name)
    pg_server.drop(name)


@pytest.fixture
def pg_database(pg_migrated: Copies) -> Iterator[Database]:
    """A migrated, empty PostgreSQL database of its own."""
    from aimeter_cli.db.engine import Database

    with pg_migrated.one() as url:
        made = Database(url)
        yield made
        made.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_database(request: pytest.FixtureRequest) -> Database:
    """The same test on both kinds of database."""
    name = "database" if request.param == "sqlite" else "pg_database"
    made: Database = request.getfixturevalue(name)
    return made


@dataclass(frozen=True, slots=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Result]


class _Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def cli(isolated: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """``cli("plans", "list", env={…}, stdin="…", terminal=True) -> Result``.

    The command as ``main`` runs it, in this process, on ``aimeter.db`` in the test's folder.
    """
    file = isolated / "aimeter.db"
    if not file.exists():
        shutil.copy(sqlite_template, file)
        file.chmod(0o600)
    monkeypatch.setenv("AI_METERING_DATABASE_URL", f"sqlite:///{file}")

    def run(
        *args: object, env: Mapping[str, str] | None = None, stdin: str = "", terminal: bool = False
    ) -> Result:
        from aimeter_cli.cli.main import main

        stream = _Terminal if terminal else io.StringIO
        out, err = stream(), stream()
        code: object = 0
        with pytest.MonkeyPatch.context() as patch:
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdin", stream(stdin))
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    main([str(arg) for arg in args])
                except SystemExit as stop:
                    code = stop.code
        assert code is None or isinstance(code, int)
        return Result(code or 0, out.getvalue(), err.getvalue())

    return run


@pytest.fixture
def cli_process(isolated: Path) -> Cli:
    """``cli_process("plans", "list", env={…}, stdin="…") -> Result``, in a process of its own."""

    def run(*args: object, env: Mapping[str, str] | None = None, stdin: str = "") -> Result:
        done = subprocess.run(
            [sys.executable, "-m", "aimeter_cli", *map(str, args)],
            env={**os.environ, **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return run


SANDBOX_DEFAULTS = {
    "rate_limit": None,
    "latency_ms": 0,
    "key_retention": 86_400,
    "lock_timeout": "off",
    "replay_header": True,
    "api_version": "2026-10-28.endive",
    "renewals": "by_hand",
    "after_retries": "canceled",
    "deliveries": "at_once",
    "delivery_order": "in_order",
    "delivery_copies": 1,
    "delivery_delay": 0,
}


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[SandboxControl]:
    """One sandbox per worker."""
    from aimeter_cli.sandbox.process import running

    with running() as control:
        yield control


@pytest.fixture
def sandbox(sandbox_process: SandboxControl) -> Iterator[SandboxControl]:
    """Empty; every request that was made of it is checked against Stripe's own description."""
    from tests.support.stripe_openapi import check_ledger

    sandbox_process.wait_until_settled()
    sandbox_process.reset()
    sandbox_process.set(**SANDBOX_DEFAULTS)
    yield sandbox_process
    assert check_ledger(sandbox_process) == []
