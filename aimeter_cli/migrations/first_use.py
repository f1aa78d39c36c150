"""From an empty folder to a configuration and a migrated database."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.currency import minor_unit
from aimeter_cli.errors import AimeterError, ConfigurationError, Conflict
from aimeter_cli.migrations.upgrade import upgrade
from aimeter_cli.settings.example import example_toml
from aimeter_cli.settings.load import CONFIG_NAME, load_settings

_LOCAL = "sqlite:///aimeter.db"


@dataclass(frozen=True, slots=True)
class Initialised:
    """What ``initialise`` made. ``database`` is its URL, without a password."""

    config: Path
    database: str
    revision: str


def initialise(
    folder: Path, *, database_url: str | None, currency: str, force: bool
) -> Initialised:
    """Write ``aimeter.toml`` (mode 0644) and make the database that is then in force.

    Raises Conflict if the file exists and ``force`` is not set, ConfigurationError for a URL with
    a password, DatabaseError if the database cannot be made; the file is then not left behind.
    """
    file = folder / CONFIG_NAME
    existed = file.exists()
    if existed and not force:
        raise Conflict(f"{file} exists already", hint="Change it by hand, or add --force.")
    url = database_url or _LOCAL
    _refuse_password(url)
    active = {
        "database_url": json.dumps(url),
        "currency": json.dumps(currency),
        "max_amount_per_customer": json.dumps(_prudent_limit(currency)),
    }
    before = file.read_bytes() if existed else None
    _write(file, example_toml(active).encode())
    try:
        return _make_database(file)
    except AimeterError:
        if before is None:
            file.unlink()
        else:
            _write(file, before)
        raise


def _make_database(file: Path) -> Initialised:
    settings = load_settings(config=file.absolute()).settings
    database = Database(settings.database_url)
    try:
        _, revision, _ = upgrade(database)
        return Initialised(file, database.safe_url, revision)
    finally:
        database.dispose()


def _prudent_limit(currency: str) -> str:
    """The guard of a new installation: about a thousand dollars, whatever the currency is."""
    return "1000" if minor_unit(currency).decimals else "100000"


def _refuse_password(url: str) -> None:
    try:
        secret = make_url(url).password
    except ArgumentError:
        return  # said by Database, with what was expected
    if secret:
        raise ConfigurationError(
            "a database URL with a password does not belong in aimeter.toml",
            hint="Set AI_METERING_DATABASE_URL in the environment or in .env, "
            "and leave --database-url out.",
        )


def _write(file: Path, content: bytes) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        os.chmod(file, 0o644)
    except OSError as error:
        raise ConfigurationError(f"cannot write {file}: {error.strerror}") from None
