"""From an empty folder to a configuration and a migrated database."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.currency import minor_unit
from aimeter_cli.errors import AimeterError, ConfigurationError, Conflict
from aimeter_cli.migrations.upgrade import upgrade
from aimeter_cli.settings.dotenv import write_secrets
from aimeter_cli.settings.example import example_toml
from aimeter_cli.settings.load import CONFIG_NAME, load_settings

_LOCAL = "sqlite:///aimeter.db"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the new configuration says. ``stripe_key`` and a URL with a password go into ``.env``.

    ``may_hold_secrets`` is whether the URL was typed where nobody else reads it.
    """

    database_url: str = _LOCAL
    currency: str = "usd"
    stripe_key: str = field(default="", repr=False)
    stripe_live: bool = False
    may_hold_secrets: bool = False


@dataclass(frozen=True, slots=True)
class Initialised:
    """What ``initialise`` made. ``database`` is its URL, without a password."""

    config: Path
    database: str
    revision: str
    secrets: Path | None = None


def initialise(folder: Path, wanted: Wanted, *, force: bool) -> Initialised:
    """Write ``aimeter.toml`` (mode 0644), make the database, write secrets to ``.env`` (0600).

    Raises Conflict if the file exists and ``force`` is not set, ConfigurationError for a URL with
    a password that may not hold one, DatabaseError if the database cannot be made; the file is
    then as it was before.
    """
    file = folder / CONFIG_NAME
    refuse_existing(folder, force=force)
    secrets = _secrets(wanted)
    before = file.read_bytes() if file.exists() else None
    _write(file, example_toml(_active(wanted, secrets)).encode())
    try:
        database, revision = _make_database(file, wanted.database_url)
        if secrets:
            write_secrets(folder / ".env", secrets)
    except AimeterError:
        if before is None:
            file.unlink()
        else:
            _write(file, before)
        raise
    return Initialised(file, database, revision, folder / ".env" if secrets else None)


def refuse_existing(folder: Path, *, force: bool) -> None:
    """Raises Conflict if there is a configuration and it is not to be overwritten."""
    file = folder / CONFIG_NAME
    if file.exists() and not force:
        raise Conflict(f"{file} exists already", hint="Change it by hand, or add --force.")


def _secrets(wanted: Wanted) -> dict[str, str]:
    """What must not stand in ``aimeter.toml``, by variable."""
    found: dict[str, str] = {}
    if _has_password(wanted.database_url):
        if not wanted.may_hold_secrets:
            raise ConfigurationError(
                "a database URL with a password does not belong in aimeter.toml",
                hint="Set AI_METERING_DATABASE_URL in the environment or in .env, "
                "and leave --database-url out.",
            )
        found["AI_METERING_DATABASE_URL"] = wanted.database_url
    if wanted.stripe_key:
        found["STRIPE_API_KEY"] = wanted.stripe_key
    return found


def _active(wanted: Wanted, secrets: Mapping[str, str]) -> dict[str, str]:
    """Keys of ``aimeter.toml`` that are set, as TOML literals."""
    active = {
        "currency": json.dumps(wanted.currency),
        "max_amount_per_customer": json.dumps(_prudent_limit(wanted.currency)),
    }
    if "AI_METERING_DATABASE_URL" not in secrets:
        active["database_url"] = json.dumps(wanted.database_url)
    if wanted.stripe_key:
        active["billing_driver"] = json.dumps("stripe")
    if wanted.stripe_live:
        active["stripe_live"] = "true"
    return active


def _make_database(file: Path, url: str) -> tuple[str, str]:
    """Its URL without a password, and its revision."""
    overrides = {"database_url": url} if _has_password(url) else None
    settings = load_settings(config=file.absolute(), overrides=overrides).settings
    database = Database(settings.database_url)
    try:
        _, revision, _ = upgrade(database)
        return database.safe_url, revision
    finally:
        database.dispose()


def _prudent_limit(currency: str) -> str:
    """The guard of a new installation: about a thousand dollars, whatever the currency is."""
    return "1000" if minor_unit(currency).decimals else "100000"


def _has_password(url: str) -> bool:
    try:
        parsed = make_url(url)
        return bool(parsed.password or any("password" in name.lower() for name in parsed.query))
    except ArgumentError:
        return False  # said by Database, with what was expected


def _write(file: Path, content: bytes) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        os.chmod(file, 0o644)
    except OSError as error:
        raise ConfigurationError(f"cannot write {file}: {error.strerror}") from None
