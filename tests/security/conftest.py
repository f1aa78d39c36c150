"""One hostile database per worker, copied for whoever changes it."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from aimeter_cli.db.engine import Database
from tests.screens.capture import Shown, shown
from tests.security.seeding import seed


@dataclass(frozen=True)
class Hostile:
    """``file`` is the database; ``seeded`` what the commands answered that filled it."""

    file: Path
    seeded: list[Shown]


@pytest.fixture(scope="session")
def hostile_world(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Hostile:
    folder = tmp_path_factory.mktemp("hostile")
    file = folder / "hostile.db"
    shutil.copy(sqlite_template, file)
    database = Database(f"sqlite:///{file}")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("AI_METERING_", "STRIPE_", "AIMETER_")):
                patch.delenv(name)
        patch.setenv("AI_METERING_DATABASE_URL", f"sqlite:///{file}")
        patch.chdir(folder)
        seeded = seed(lambda *args: shown(*args, width=80, is_watched=False), folder, database)
        with database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.dispose()
    return Hostile(file, seeded)


@pytest.fixture
def hostile(hostile_world: Hostile, isolated: Path, monkeypatch: pytest.MonkeyPatch) -> Hostile:
    """A copy of it, which the commands of this test use."""
    file = isolated / "aimeter.db"
    shutil.copy(hostile_world.file, file)
    monkeypatch.setenv("AI_METERING_DATABASE_URL", f"sqlite:///{file}")
    return Hostile(file, hostile_world.seeded)
