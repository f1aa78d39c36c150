"""``[[event_sinks]]`` and ``event_listeners``: what they may say, and how the rest is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aimeter_cli.domain.events import EventName
from aimeter_cli.errors import ConfigurationError
from aimeter_cli.settings.load import Loaded, load_settings
from aimeter_cli.settings.shown import shown_settings
from aimeter_cli.settings.sinks import EventSink

TOML = """\
event_listeners = ["myapp.billing:on_overage"]
currency = "eur"

[[event_sinks]]
name = "alerts"
command = ["/usr/local/bin/alert", "--quiet"]
events = ["OverageSyncFailed"]

[[event_sinks]]
name = "crm"
url = "https://crm.example/hooks?key=in-the-address"
secret_env = "CRM_SECRET"
timeout_seconds = 3
"""
HOOK = {"name": "a", "url": "https://a.example/", "secret_env": "A"}


def load(folder: Path, toml: str = "", **environ: str) -> Loaded:
    file = folder / "aimeter.toml"
    file.write_text(toml)
    return load_settings(config=file, environ=environ, cwd=folder)


def test_sinks_are_tables_with_defaults(tmp_path: Path) -> None:
    loaded = load(tmp_path, TOML)
    alerts, crm = loaded.settings.event_sinks
    assert alerts == EventSink(
        "alerts", ("/usr/local/bin/alert", "--quiet"), "", "",
        frozenset({EventName.OVERAGE_SYNC_FAILED}), 10,
    )  # fmt: skip
    assert (crm.url, crm.secret_env) == (
        "https://crm.example/hooks?key=in-the-address", "CRM_SECRET",
    )  # fmt: skip
    assert crm.events == set(EventName) - {EventName.USAGE_RECORDED}
    assert (crm.timeout_seconds, crm.command) == (3, ())
    assert loaded.settings.event_listeners == ("myapp.billing:on_overage",)
    assert loaded.sources["event_sinks"].endswith("aimeter.toml:4")


def test_what_is_shown_of_a_sink_is_no_secret(tmp_path: Path) -> None:
    [shown] = [row for row in shown_settings(load(tmp_path, TOML)) if row.key == "event_sinks"]
    assert shown.value == "alerts → /usr/local/bin/alert, crm → crm.example"


def test_the_variables_hold_json_and_names_with_commas(tmp_path: Path) -> None:
    loaded = load(
        tmp_path, AI_METERING_EVENT_SINKS=json.dumps([HOOK]), AI_METERING_EVENT_LISTENERS="a:b, c",
    )  # fmt: skip
    assert [sink.name for sink in loaded.settings.event_sinks] == ["a"]
    assert loaded.settings.event_listeners == ("a:b", "c")


@pytest.mark.parametrize(
    ("sinks", "told"),
    [
        ("{", "expected a JSON array of objects"),
        ("{}", r"expected an array of tables, \[\[event_sinks\]\], got {}"),
        (["x"], "sink 1: expected a table, got 'x'"),
        ([{}], "sink 1: name: required"),
        ([{"name": "A b"}], "A b: name: expected lower-case letters, digits, - and _"),
        ([{"name": "a"}], "a: expected either command or url"),
        ([HOOK | {"command": ["x"]}], "a: expected either command or url"),
        ([HOOK | {"secret": "x"}], "a: unknown key 'secret': expected name, command"),
        ([{"name": "a", "url": "https://a.example"}], "a: secret_env: the variable that holds"),
        ([{"name": "a", "command": ["x"], "secret_env": "A"}], "a: secret_env: the variable"),
        ([HOOK | {"secret_env": "whsec-the-secret"}], "a: secret_env: expected the name of an env"),
        ([HOOK | {"url": "ftp://a"}], r"a: url: expected an http\(s\) address$"),
        ([HOOK | {"url": "https://me:pw@a.example"}], "a: url: user and password do not belong"),
        ([{"name": "a", "command": "x y"}], "a: command: expected an array of texts, got 'x y'"),
        ([HOOK | {"events": ["Nothing"]}], "a: events: unknown event 'Nothing': expected Usage"),
        ([HOOK | {"timeout_seconds": 0}], "a: timeout_seconds: expected a whole number from 1"),
        ([HOOK, HOOK], "a: two sinks have this name"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_sink_is_said_by_name_and_key(
    tmp_path: Path, sinks: Any, told: str
) -> None:
    text = sinks if isinstance(sinks, str) else json.dumps(sinks)
    with pytest.raises(ConfigurationError, match=f"environment: AI_METERING_EVENT_SINKS: {told}"):
        load(tmp_path, AI_METERING_EVENT_SINKS=text)


def test_a_secret_in_the_place_of_its_variable_is_not_repeated(tmp_path: Path) -> None:
    sinks = json.dumps([HOOK | {"secret_env": "whsec-the-secret"}])
    with pytest.raises(ConfigurationError, match=r"never the secret itself$"):
        load(tmp_path, AI_METERING_EVENT_SINKS=sinks)


def test_a_bad_sink_in_the_file_is_found_at_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"aimeter.toml:4: event_sinks: crm: url: exp"):
        load(tmp_path, TOML.replace("https://crm", "crm"))
    with pytest.raises(ConfigurationError, match=r"aimeter.toml:1: event_listeners: expected"):
        load(tmp_path, "event_listeners = [1]")
