"""``[[alerts]]``: what it may say, and how the rest is refused."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aimeter_cli.domain.alerts import AlertKind
from aimeter_cli.domain.events import EventName
from aimeter_cli.errors import ConfigurationError
from aimeter_cli.settings.alerts import AlertSink
from aimeter_cli.settings.load import Loaded, load_settings
from aimeter_cli.settings.shown import shown_settings

TOML = """\
[[alerts]]
name = "ops"
slack_env = "SLACK_WEBHOOK_URL"

[[alerts]]
name = "sales"
command = ["/usr/local/bin/tell"]
kinds = ["wallet_low", "limit_reached"]
wallet_low = { usd = "5", JPY = 500 }
jobs = { "rates update" = "2d" }
repeat = "12h"
"""
OPS = {"name": "ops", "command": ["x"]}


def load(folder: Path, toml: str = "", **environ: str) -> Loaded:
    file = folder / "aimeter.toml"
    file.write_text(toml)
    return load_settings(config=file, environ=environ, cwd=folder)


def test_alerts_are_tables_with_defaults(tmp_path: Path) -> None:
    ops, sales = load(tmp_path, TOML).settings.alerts
    assert ops == AlertSink("ops", slack_env="SLACK_WEBHOOK_URL")
    assert ops.kinds == set(AlertKind)
    assert (sales.repeat, sales.resolve_after) == (timedelta(hours=12), timedelta(minutes=30))
    assert sales.wallet_low == {"usd": Decimal(5), "jpy": Decimal(500)}
    assert sales.jobs == {"rates update": timedelta(days=2)}
    assert sales.events == {
        EventName.ALERT_RAISED, EventName.ALERT_RESOLVED, EventName.LIMIT_REACHED,
    }  # fmt: skip
    assert sales.conditions == {AlertKind.WALLET_LOW}


def test_they_are_shown_without_an_address(tmp_path: Path) -> None:
    loaded = load(tmp_path, TOML, SLACK_WEBHOOK_URL="https://hooks.example/secret")
    [shown] = [row for row in shown_settings(loaded) if row.key == "alerts"]
    assert shown.value == "ops → $SLACK_WEBHOOK_URL, sales → /usr/local/bin/tell"


def test_the_variable_holds_json(tmp_path: Path) -> None:
    for amount in ("7.1", 7.1):
        told = json.dumps([OPS | {"wallet_low": amount}])
        [ops] = load(tmp_path, AI_METERING_ALERTS=told).settings.alerts
        assert ops.wallet_low == {"": Decimal("7.1")}


@pytest.mark.parametrize(
    ("alerts", "told"),
    [
        ("{", "expected a JSON array of objects"),
        ({}, r"expected an array of tables, \[\[alerts\]\], got {}"),
        ([{"command": ["x"]}], "alert 1: name: required"),
        ([{"name": "ops"}], "ops: expected either command or slack_env"),
        ([OPS | {"slack_env": "A"}], "ops: expected either command or slack_env"),
        ([OPS | {"url": "x"}], "ops: unknown key 'url': expected name, kinds, command, slack_env"),
        ([OPS | {"kinds": ["all"]}], "ops: kinds: unknown kind 'all': expected payment_failed,"),
        ([OPS | {"repeat": "soon"}], "ops: repeat: expected a duration such as '7d'"),
        ([OPS | {"jobs": {"x": "y"}}], "ops: jobs: x: expected a duration"),
        ([OPS | {"jobs": "x"}], "ops: jobs: expected a table"),
        ([OPS | {"wallet_low": {"btc": 5}}], "ops: wallet_low: btc: "),
        ([OPS | {"wallet_low": -5}], "ops: wallet_low: expected an amount from 0"),
        ([OPS | {"wallet_low": True}], "ops: wallet_low: expected an amount such as"),
        ([OPS, OPS], "ops: two alerts have this name"),
    ],
)
def test_what_is_wrong_is_said_by_name_and_key(tmp_path: Path, alerts: Any, told: str) -> None:
    text = alerts if isinstance(alerts, str) else json.dumps(alerts)
    with pytest.raises(ConfigurationError, match=f"environment: AI_METERING_ALERTS: {told}"):
        load(tmp_path, AI_METERING_ALERTS=text)


def test_an_address_in_the_place_of_its_variable_is_not_repeated(tmp_path: Path) -> None:
    alerts = json.dumps([{"name": "ops", "slack_env": "https://hooks.example/secret"}])
    with pytest.raises(ConfigurationError, match=r"never the secret itself$"):
        load(tmp_path, AI_METERING_ALERTS=alerts)


def test_an_alert_and_an_event_sink_may_not_share_a_name(tmp_path: Path) -> None:
    twin = json.dumps([{"name": "sales", "command": ["x"]}])
    with pytest.raises(ConfigurationError, match=r"aimeter.toml:1: sales: an event sink has this"):
        load(tmp_path, TOML, AI_METERING_EVENT_SINKS=twin)
