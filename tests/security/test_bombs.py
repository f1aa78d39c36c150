"""Small files that would become large work are refused: exit 2, and nothing is changed."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from aimeter_cli.settings.secrets import redacted
from tests.conftest import Cli

DEEP = b"[" * 200_000
DEEP_OBJECT = b'{"a":' * 200_000
LONG = b"9" * 10_000
LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
    b'<Cube time="2026-11-01">&b;</Cube>'
)
OUTSIDE = b'<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]><Cube time="&a;"/>'


def zipped(size: int) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rates.csv", b"," * size)
    return made.getvalue()


BOMBS = {
    "rates.json": [DEEP, DEEP_OBJECT, b'{"usd_eur": %b}' % LONG],
    "rates.toml": [b"usd_eur = " + DEEP, b"usd_eur = " + LONG],
    "rates.xml": [LAUGHS, OUTSIDE],
    "rates.zip": [zipped(25_000_000)],
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_rates_file_is_refused(name: str, cli: Cli) -> None:
    for content in BOMBS[name]:
        Path(name).write_bytes(content)
        told = cli("rates", "update", "--from", name)
        assert told.code == 2, told
        assert name in told.err, told
        assert "root:" not in told.err, told
    assert cli("rates", "list", "--format=json").json == []


@pytest.mark.parametrize(
    "content", [b"prices = " + DEEP, b"lease_seconds = " + LONG], ids=["deep", "long"]
)
def test_a_configuration_is_refused(content: bytes, cli: Cli) -> None:
    Path("aimeter.toml").write_bytes(content)
    told = cli("plans", "list")
    assert (told.code, told.out) == (4, ""), told
    assert "aimeter.toml" in told.err


def test_a_variable_is_refused(cli: Cli) -> None:
    told = cli("plans", "list", env={"AI_METERING_PRICES": DEEP.decode()})
    assert told.code == 4, told
    assert "AI_METERING_PRICES" in told.err


def test_lines_of_usage_and_events_are_refused_one_by_one(cli: Cli) -> None:
    meta = b'{"billable": "user:1", "provider": "p", "model": "m", "meta": %b}'
    lines = [DEEP, DEEP_OBJECT, meta % (DEEP_OBJECT + b"1" + b"}" * 200_000), meta % LONG]
    Path("u.jsonl").write_bytes(b"\n".join(lines))
    told = cli("usage", "import", "u.jsonl", "--on-error=skip", "--format=json")
    assert told.code in (2, 3), told
    Path("e.jsonl").write_bytes(b'{"id": "evt_1", "object": "event", "data": %b}' % DEEP_OBJECT)
    told = cli("webhooks", "replay", "e.jsonl", "--format=json")
    assert told.code in (2, 3), told
    assert "Traceback" not in told.err
    assert cli("usage", "list", "--format=json").json == []


@pytest.mark.parametrize("part", ["a://x:", "?a", "&password=", "sk_test_", "x@"])
def test_hiding_secrets_takes_no_longer_than_the_text_is(part: str) -> None:
    assert redacted(part * 200_000)
