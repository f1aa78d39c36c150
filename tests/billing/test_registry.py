"""Drivers by name, by dotted path; a third one shows that the interface holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aimeter_cli.billing.null import NullDriver
from aimeter_cli.billing.registry import make_driver
from aimeter_cli.billing.stripe import StripeDriver
from aimeter_cli.db.engine import Database
from aimeter_cli.errors import ConfigurationError
from aimeter_cli.services.sync.plan import Options
from aimeter_cli.services.sync.run import run_sync
from aimeter_cli.settings.table import Settings
from aimeter_cli.signals import StopFlag
from tests.billing.ledger_driver import LedgerDriver
from tests.support.world import NOW, World


def settings(driver: str) -> Settings:
    return replace(Settings(), billing_driver=driver)


def test_the_built_in_drivers_go_by_name() -> None:
    assert isinstance(make_driver(settings("null")), NullDriver)
    assert isinstance(make_driver(settings("stripe")), StripeDriver)


@pytest.mark.parametrize("path", ["tests.billing.ledger_driver.LedgerDriver",
                                  "tests.billing.ledger_driver:LedgerDriver"])  # fmt: skip
def test_others_go_by_a_dotted_path(path: str) -> None:
    assert isinstance(make_driver(settings(path)), LedgerDriver)


@pytest.mark.parametrize(
    ("driver", "told"),
    [
        ("nonsense", "unknown billing driver 'nonsense'"),
        ("no.such.Driver", "cannot be loaded: No module named 'no'"),
        ("os.path", "billing driver 'os.path' is not a class"),
        (
            "decimal.Decimal",
            "has no account, close, ensure_ready, find, livemode, name, read, send",
        ),
    ],
)
def test_what_is_no_driver_is_an_error_of_the_configuration(driver: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_driver(settings(driver))
    assert told in caught.value.message


def test_the_whole_sync_runs_on_a_third_driver(database: Database) -> None:
    from typing import cast

    from aimeter_cli.sandbox.client import SandboxControl

    world = World(
        database, cast(SandboxControl, None), settings("tests.billing.ledger_driver.LedgerDriver")
    )
    driver = world.driver
    assert isinstance(driver, LedgerDriver)
    world.subscriber(plan=world.plan(), customer="cus_1")
    for tokens in (501_000, 100_000):
        world.use(tokens)
        report = run_sync(database, world.settings, driver, Options(), now=NOW, stop=StopFlag())
        assert (report.synced, report.exit_code) == (1, 0)
    assert [entry["amount"] for entry in driver.entries.values()] == [1200]
    assert world.statuses() == ["synced", "synced"]
