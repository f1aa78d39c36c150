"""The predecessor's faults of reports and of pruning. The number is that of PITFALLS."""

from __future__ import annotations

from decimal import Decimal
from typing import cast

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.errors import InvalidInput
from aimeter_cli.models.usages import Usage
from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.services.reports.span import span
from aimeter_cli.services.reports.usage import usage_report
from tests.conftest import Cli
from tests.services.test_prune import NOWHERE, kept, pruned, subscribed, used
from tests.support.world import NOW, World, sandbox_settings


@pytest.fixture
def any_world(any_database: Database) -> World:
    return World(any_database, cast(SandboxControl, None), sandbox_settings(NOWHERE))


def test_pitfall_14_a_key_that_was_pruned_is_not_charged_again(any_world: World) -> None:
    used(any_world, cost="7")
    pruned(any_world)
    with pytest.raises(InvalidInput, match="whether it was recorded before cannot be told"):
        used(any_world, cost="7")
    assert any_world.rows(Usage) == []


@pytest.mark.parametrize("by", [(), ("model",), ("day", "billable")])
def test_pitfall_17_no_sum_goes_over_two_currencies(by: tuple[str, ...], any_world: World) -> None:
    for currency, cost in (("usd", "1"), ("eur", "2"), ("jpy", "3")):
        any_world.use(1, cost=cost, currency=currency)
    found = usage_report(any_world.database, span("UTC", now=NOW), by)
    costs = {"usd": Decimal(1), "eur": Decimal(2), "jpy": Decimal(3)}
    assert {row.currency: row.cost for row in found.rows} == costs
    assert {total.currency: total.cost for total in found.totals} == costs


def test_pitfall_18_the_last_microsecond_of_a_month_is_in_its_report(any_world: World) -> None:
    any_world.use(1, cost="1", occurred_at="2026-10-31T23:59:59.999999Z")
    for month, rows in (("2026-10", 1), ("2026-11", 0)):
        covered = span("UTC", now=NOW, month=month)
        assert len(usage_report(any_world.database, covered, ("day",)).rows) == rows


def test_pitfall_26_an_unpriced_usage_is_told_and_does_not_pass_for_free(any_world: World) -> None:
    any_world.use(1, cost=None, model="unknown")
    [row] = usage_report(any_world.database, span("UTC", now=NOW), ("model",)).rows
    assert (row.model, row.unpriced) == ("unknown", 1)


def test_pitfall_26_a_prune_never_takes_what_is_not_billed(any_world: World) -> None:
    subscribed(any_world)
    report = pruned(any_world)
    assert (report.pruned, kept(report)) == (0, {"unsettled": 3})
    charged = sum((usage.charge for usage in any_world.rows(Usage)), Decimal(0))
    assert charged == any_world.overages[0].amount


def test_pitfall_26_a_prune_under_cron_asks_nothing(cli: Cli) -> None:
    line = ("--as-of", "2022-11-15T12:00:00Z", "--billable", "user:42", "--provider", "p")
    cli("usage", "record", *line, "--model", "m", "--cost", "1")
    prune = ("usage", "prune", "--older-than", "365d", "--as-of", "2023-12-01")
    assert cli(*prune).code == 2  # at once, with the word to add
    assert cli(*prune, "--yes").code == 0
    assert (
        cli("usage", "report", "--month", "2022-11", "--by", "billable").out.count("user:42") == 1
    )
