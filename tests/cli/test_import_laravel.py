"""``aimeter import laravel`` from outside: its tables, its exit codes, and no password."""

from __future__ import annotations

from pathlib import Path

import pytest

from aimeter_cli.repositories import imports
from tests.conftest import Cli
from tests.services.laravel.shop import Shop, furnished

AS_OF = ("--as-of", "2026-11-15T12:00:00Z")
SHOWN = """\
Table                       Rows there    Read    Imported    There already    Left out
ai_plans                             2       2           2                0           0
ai_subscriptions                     2       2           2                0           0
ai_usage_limit_overrides             0       0           0                0           0
ai_usages                            5       5           5                0           0
ai_overages                          2       2           2                0           0
ai_credit_wallets                    1       1           1                0           0
ai_credit_transactions               2       2           2                0           0

Table                   What            Theirs    Left out          Ours    Off by
ai_usages               cost      1.260001 USD    0.00 USD  1.260001 USD  0.00 USD
ai_overages             synced    0.100001 USD    0.00 USD  0.100001 USD  0.00 USD
ai_overages             unsynced      0.07 USD    0.00 USD      0.07 USD  0.00 USD
ai_credit_transactions  ledger        9.50 USD    0.00 USD      9.50 USD  0.00 USD
ai_credit_wallets       balance       9.50 USD    0.00 USD      9.50 USD  0.00 USD
"""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return furnished(Shop(f"sqlite:///{tmp_path}/shop.db"))


def test_the_tables_and_the_sums_are_shown(cli: Cli, shop: Shop) -> None:
    done = cli(*AS_OF, "import", "laravel", shop.url)
    assert done.code == 0
    assert done.out == SHOWN
    assert done.err == ""
    assert cli(*AS_OF, "audit").code == 0
    assert cli(*AS_OF, "usage", "check", "user:1").code == 1  # the limit was used up there


def test_as_json_it_is_one_document(cli: Cli, shop: Shop) -> None:
    done = cli(*AS_OF, "import", "laravel", shop.url, "--dry-run", "--format", "json")
    assert (done.code, done.err) == (0, "dry run: nothing was changed\n")
    assert set(done.json) == {
        "source", "dry_run", "adds_up", "tables", "sums", "left_out", "notes"
    }  # fmt: skip
    assert (done.json["dry_run"], done.json["adds_up"]) == (True, True)
    assert done.json["sums"][0] == {
        "table": "ai_usages", "what": "cost", "currency": "usd", "theirs": "1.260001000",
        "left_out": "0.000000000", "ours": "1.260001000", "difference": "0.000000000",
    }  # fmt: skip
    assert cli("plans", "list", "--format", "json").json == []


def test_rows_that_are_left_out_are_named_and_make_it_exit_3(cli: Cli, shop: Shop) -> None:
    shop.execute("UPDATE ai_usages SET currency = 'xyz' WHERE id < 3")
    done = cli(*AS_OF, "import", "laravel", shop.url, "--format", "plain")
    assert done.code == 3
    [*_, last] = done.out.splitlines()
    assert last.split("  ")[0] == "ai_usages"
    assert last.endswith("2  1, 2")
    assert "2 row(s) were left out; the others were imported" in done.err
    assert len(cli("usage", "list", "--format", "json").json) == 3


def test_sums_that_differ_make_it_exit_1_and_keep_nothing(
    cli: Cli, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "imported_into_wallets", lambda *_: {})
    done = cli(*AS_OF, "import", "laravel", shop.url)
    assert done.code == 1
    assert "the sums differ: nothing was imported" in done.err
    assert cli("plans", "list", "--format", "json").json == []


def test_the_address_may_come_from_the_environment(cli: Cli, shop: Shop) -> None:
    done = cli(*AS_OF, "import", "laravel", "--format", "csv", env={"AIMETER_IMPORT_URL": shop.url})
    assert done.code == 0
    assert done.out.splitlines()[:2] == [
        "table,rows,read,imported,there_already,left_out",
        "ai_plans,2,2,2,0,0",
    ]
    without = cli("import", "laravel")
    assert without.code == 2
    assert "DATABASE_URL" in without.err


@pytest.mark.parametrize("where", ["argument", "environment"])
def test_a_password_is_never_printed(where: str, cli: Cli) -> None:
    url = "postgresql://shop:hush-hush@127.0.0.1:1/shop"
    if where == "argument":
        done = cli("import", "laravel", url, "--verbose")
    else:
        done = cli("import", "laravel", "--verbose", env={"AIMETER_IMPORT_URL": url})
    assert done.code == 5
    assert "hush" not in done.out + done.err
    assert ("set AIMETER_IMPORT_URL instead" in done.err) == (where == "argument")


def test_types_are_mapped_as_told(cli: Cli, shop: Shop) -> None:
    done = cli(*AS_OF, "import", "laravel", shop.url, "--map", "App\\Models\\User=member",
               "--timezone", "Europe/Berlin")  # fmt: skip
    assert done.code == 0
    billables = cli("billables", "list", "--format", "json").json
    assert [each["billable"] for each in billables] == ["member:1", "member:2"]
    [first, *_] = sorted(
        each["occurred_at"] for each in cli("usage", "list", "--format", "json").json
    )
    assert first == "2026-10-10T08:00:00Z"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--map", "User"), "--map: 'User' is not of the form KEY=VALUE"),
        (("--map", "App\\Usr=user"), "--map: there is no billable_type App\\Usr"),
        (("--timezone", "Mars/Olympus"), "--timezone"),
    ],
)
def test_bad_options_are_named_and_change_nothing(
    arguments: tuple[str, ...], message: str, cli: Cli, shop: Shop
) -> None:
    done = cli(*AS_OF, "import", "laravel", shop.url, *arguments)
    assert done.code == 2
    assert message in done.err
    assert cli("plans", "list", "--format", "json").json == []
