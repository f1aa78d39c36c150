"""From an empty folder to a working tool: ``init``, ``config show``, ``db``."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.conftest import Cli


@pytest.fixture
def fresh(cli: Cli, isolated: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command in an empty folder, without any configuration."""
    monkeypatch.delenv("AI_METERING_DATABASE_URL")
    (isolated / "aimeter.db").unlink()
    return cli


def _mode(file: Path) -> int:
    return stat.S_IMODE(os.stat(file).st_mode)


def test_init_writes_the_configuration_and_makes_the_database(fresh: Cli, isolated: Path) -> None:
    made = fresh("init", "--currency", "EUR", "--format", "json")
    assert made.code == 0
    assert made.json == {
        "config": "aimeter.toml",
        "database": f"sqlite:///{isolated}/aimeter.db",
        "revision": made.json["revision"],
        "secrets": None,
    }
    assert made.err.startswith("Next, make a plan")
    assert _mode(isolated / "aimeter.toml") == 0o644
    assert _mode(isolated / "aimeter.db") == 0o600
    plan = fresh("plans", "create", "Pro", "--format", "json")
    assert plan.json["currency"] == "eur"


def test_the_database_lies_beside_the_configuration(fresh: Cli, isolated: Path) -> None:
    fresh("init", "--path", "deep/folder")
    assert (isolated / "deep" / "folder" / "aimeter.db").exists()


def test_init_overwrites_nothing_unasked(fresh: Cli, isolated: Path) -> None:
    fresh("init")
    file = isolated / "aimeter.toml"
    file.write_text("# mine\n")
    refused = fresh("init")
    assert (refused.code, refused.err) == (
        1,
        "error: aimeter.toml exists already\nhint: Change it by hand, or add --force.\n",
    )
    assert file.read_text() == "# mine\n"
    assert fresh("init", "--force").code == 0
    assert "# mine" not in file.read_text()


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("postgresql+psycopg://me@127.0.0.1:1/none", 5),
        ("postgresql+psycopg://me:secret@127.0.0.1:1/none", 4),
        ("mysql://x/y", 4),
        ("nonsense", 4),
    ],
)
def test_init_leaves_no_file_behind_when_it_fails(
    url: str, code: int, fresh: Cli, isolated: Path
) -> None:
    done = fresh("init", "--database-url", url)
    assert done.code == code
    assert "secret" not in done.err
    assert not (isolated / "aimeter.toml").exists()


def test_init_makes_a_postgresql_database(fresh: Cli, empty_pg_url: str) -> None:
    assert fresh("init", "--database-url", empty_pg_url).code == 0
    assert fresh("db", "current", "--format", "json").json["is_current"] is True


def test_config_show_tells_every_value_and_its_source(fresh: Cli, isolated: Path) -> None:
    (isolated / "aimeter.toml").write_text('currency = "eur"\n[stripe]\ntimeout_seconds = 30\n')
    (isolated / ".env").write_text("AI_METERING_TIMEZONE=Europe/Berlin\n")
    env = {
        "STRIPE_API_KEY": "sk_test_51Habcdefghijklmnop",
        "AI_METERING_DATABASE_URL": "postgresql+psycopg://me:hunter22@h/d",
    }
    shown = fresh("config", "show", "--format", "json", env=env)
    told = {row["key"]: (row["value"], row["source"]) for row in shown.json}
    file = isolated / "aimeter.toml"
    assert told["currency"] == ("eur", f"{file}:1")
    assert told["stripe_timeout_seconds"] == ("30", f"{file}:3")
    assert told["timezone"] == ("Europe/Berlin", f"{isolated / '.env'} AI_METERING_TIMEZONE")
    assert told["stripe_api_key"] == ("sk_test_…mnop", "environment STRIPE_API_KEY")
    assert told["database_url"] == (
        "postgresql+psycopg://me:***@h/d",
        "environment AI_METERING_DATABASE_URL",
    )
    assert told["overage_markup"] == ("1", "default")
    assert told["rate_max_age"] == ("7d", "default")
    assert "hunter22" not in shown.out + shown.err


def test_a_short_secret_is_hidden_whole(fresh: Cli) -> None:
    shown = fresh("config", "show", "--format", "csv", env={"STRIPE_API_KEY": "sk_test_short"})
    assert "stripe_api_key,***,environment STRIPE_API_KEY" in shown.out


def test_a_fault_in_the_file_names_its_line(fresh: Cli, isolated: Path) -> None:
    (isolated / "aimeter.toml").write_text('currency = "eur"\ntimezon = "UTC"\n')
    done = fresh("plans", "list")
    assert (done.code, done.err) == (
        4,
        f"error: {isolated}/aimeter.toml:2: unknown key timezon\nhint: Did you mean timezone?\n",
    )


def test_db_current_tells_where_the_schema_stands(cli: Cli, empty_pg_url: str) -> None:
    assert cli("db", "current", "--format", "json").json["is_current"] is True
    empty = cli("db", "current", "--database-url", empty_pg_url, "--format", "json")
    assert (empty.json["revision"], empty.json["is_current"]) == (None, False)
    rehearsed = cli("db", "upgrade", "--dry-run", "--database-url", empty_pg_url)
    assert rehearsed.err == "dry run: nothing was changed\n"
    assert cli("db", "upgrade", "--database-url", empty_pg_url).code == 0
    assert cli("plans", "list", "--database-url", empty_pg_url).code == 0


def test_db_backup_copies_sqlite_and_points_elsewhere_for_postgresql(
    cli: Cli, isolated: Path, empty_pg_url: str
) -> None:
    cli("plans", "create", "Pro")
    done = cli("db", "backup", "copy.db", "--format", "json")
    assert done.json == {"file": "copy.db", "bytes": (isolated / "copy.db").stat().st_size}
    assert _mode(isolated / "copy.db") == 0o600
    copy = cli("plans", "list", "--database-url", "sqlite:///copy.db", "--format", "json")
    assert [plan["slug"] for plan in copy.json] == ["pro"]
    again = cli("db", "backup", "copy.db")
    assert (again.code, again.err) == (
        1,
        "error: copy.db exists already\nhint: Name another file, or remove it first.\n",
    )
    other = cli("db", "backup", "x.db", "--database-url", empty_pg_url)
    assert other.code == 4
    assert "hint: pg_dump --format=custom --file=x.db t" in other.err


def test_a_database_that_was_not_there_is_made_and_told(cli: Cli, isolated: Path) -> None:
    """A mistyped path must not look like an installation without any data."""
    url = f"sqlite:///{isolated / 'typo.db'}"
    first = cli("plans", "list", "--database-url", url, "--format", "json")
    assert (first.code, first.json) == (0, [])
    assert f"there was no database yet: {url} has been made" in " ".join(first.err.split())
    second = cli("plans", "list", "--database-url", url, "--format", "json")
    assert (second.code, second.err) == (0, "")
