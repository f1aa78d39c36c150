"""``status --format prometheus``: every line is what the format says, and tells what is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from aimeter_cli import __version__
from aimeter_cli.db.engine import Database
from aimeter_cli.domain.rates import Rate
from aimeter_cli.migrations import HEAD
from aimeter_cli.models.webhook_events import WebhookEvent
from aimeter_cli.render.prometheus import exposition
from aimeter_cli.services import installation
from aimeter_cli.services.health import health
from aimeter_cli.services.rates import set_rates
from tests.conftest import NOW, Cli
from tests.support.watch import Watch

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^\\"\n]|\\[\\"n])*)"'
_SAMPLE = re.compile(rf"({_NAME})(?:\{{({_LABEL}(?:,{_LABEL})*)\}})? (-?\d+(?:\.\d+)?)")
_ESCAPE = re.compile(r"\\(.)")


@pytest.fixture
def watch(database: Database) -> Iterator[Watch]:
    made = Watch(database)
    yield made
    made.world.close()


def parsed(text: str) -> Samples:
    """Strict: HELP, TYPE and then the samples of each metric, every one of them once."""
    assert text.endswith("\n")
    samples: Samples = {}
    seen: set[str] = set()
    lines = text[:-1].split("\n")
    while lines:
        helped = re.fullmatch(rf"# HELP ({_NAME}) ([^\\\n]+)", lines.pop(0))
        assert helped is not None
        name = helped[1]
        assert name not in seen
        seen.add(name)
        assert lines.pop(0) == f"# TYPE {name} gauge"
        found = 0
        while lines and not lines[0].startswith("#"):
            line = lines.pop(0)
            sample = _SAMPLE.fullmatch(line)
            assert sample is not None, line
            assert sample[1] == name
            labels = [
                (key, _unescaped(value)) for key, value in re.findall(_LABEL, sample[2] or "")
            ]
            assert len(dict(labels)) == len(labels)
            key = (name, frozenset(labels))
            assert key not in samples
            samples[key] = float(sample[sample.re.groups])
            found += 1
        assert found, name
    return samples


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: {"n": "\n"}.get(match[1], match[1]), text)


def metrics(watch: Watch) -> dict[str, float]:
    """As ``name{label=value}``, without the prefix."""
    with watch.database.read() as session:
        found = health(session, watch.settings, now=watch.now)
    samples = parsed(exposition(found, version="1.0", schema="0006"))
    return {
        name.removeprefix("aimeter_") + _shown(labels): value
        for (name, labels), value in samples.items()
    }


def _shown(labels: frozenset[tuple[str, str]]) -> str:
    told = ",".join(f"{name}={value}" for name, value in sorted(labels))
    return f"{{{told}}}" if told else ""


def test_an_empty_database_has_its_metrics(watch: Watch) -> None:
    assert metrics(watch) == {
        "info{schema=0006,version=1.0}": 1, "ok": 1, "overages_oldest_age_seconds": 0,
        "overages_stranded": 0, "sync_paused": 0, "sync_backing_off": 0, "rates_held": 0,
        "webhook_events{status=received}": 0, "webhook_events{status=failed}": 0,
        "webhook_events{status=quarantined}": 0, "webhook_events{status=waiting}": 0,
    }  # fmt: skip


def test_overages_are_counted_and_added_up_by_status_and_currency(watch: Watch) -> None:
    plans = {"usd": watch.world.plan(), "eur": watch.world.plan("eu", currency="eur")}
    for number, currency in enumerate(("usd", "usd", "eur")):
        watch.world.subscriber(f"user:{number}", plan=plans[currency], customer=f"cus_{number}")
        watch.world.use(501_000, f"user:{number}")
    watch.world.execute("UPDATE ai_overages SET status = 'held', reason = 'x' WHERE id = 2")
    watch.now += timedelta(minutes=5)
    found = metrics(watch)
    expected = {
        "overages{currency=usd,status=open}": 1, "overages_amount{currency=usd,status=open}": 10,
        "overages{currency=usd,status=held}": 1, "overages_amount{currency=usd,status=held}": 10,
        "overages{currency=eur,status=open}": 1, "overages_amount{currency=eur,status=open}": 10,
        "overages_blocked{reason=held}": 1, "overages_oldest_age_seconds": 300,
    }  # fmt: skip
    assert {name: value for name, value in found.items() if name.startswith("overages")} == (
        expected | {"overages_stranded": 0}
    )


def test_jobs_events_rates_and_alerts_are_there(watch: Watch) -> None:
    watch.alerts({"kinds": ["sync_paused"]})
    installation.pause(watch.database, "incident", now=NOW)
    watch.ran("rates update", 5, 4)
    watch.check()
    set_rates(watch.database, [Rate("usd", "eur", Decimal(1), NOW - timedelta(days=2), "ecb")],
              now=NOW)  # fmt: skip
    with watch.database.write() as session:
        session.add(
            WebhookEvent(
                event_id="evt_1", livemode=False, type="x", created=NOW, payload="{}", digest="d",
                status="failed", received_at=NOW,
            )
        )  # fmt: skip
    found = metrics(watch)
    expected = {
        "ok": 0, "sync_paused": 1, "alerts_open{alert=ops,kind=sync_paused}": 1,
        "job_last_exit_code{command=rates update}": 4,
        "rate_age_seconds{base=usd,quote=eur,source=ecb}": 172_800,
        "webhook_last_event_timestamp_seconds": NOW.timestamp(),
        "webhook_events{status=failed}": 1,
        "outbox_events{status=new}": 1, "outbox_events{status=pending}": 0,
        "outbox_events{status=failed}": 0, "outbox_oldest_timestamp_seconds": NOW.timestamp(),
    }  # fmt: skip
    assert {name: found.get(name) for name in expected} == expected
    assert "job_last_success_timestamp_seconds{command=rates update}" not in found
    assert "job_last_start_timestamp_seconds{command=rates update}" in found


def test_labels_from_outside_are_escaped_as_the_format_says(watch: Watch) -> None:
    hostile = 'a"b\\c{d="e"},\n\x1b[2J\u202e 1\n# TYPE x gauge'
    rates = [Rate("usd", "eur", Decimal(1), NOW, hostile)]
    set_rates(watch.database, rates, now=NOW)
    [label] = [name for name in metrics(watch) if name.startswith("rate_age_seconds")]
    assert 'source=a"b\\c{d="e"},\\n\\x1b[2J\\u202e 1\\n# TYPE x gauge}' in label


def test_status_writes_it_and_exits_as_the_status_does(
    cli: Cli, isolated: Path, database: Database
) -> None:
    shown = cli("status", "--format", "prometheus", terminal=True)
    assert (shown.code, shown.err) == (0, "")
    labels = frozenset({("version", __version__), ("schema", HEAD)})
    assert parsed(shown.out)["aimeter_info", labels] == 1
    assert parsed(shown.out)["aimeter_ok", frozenset()] == 1
    late = cli("status", "--format", "prometheus", "--max-age", "1h")
    assert (late.code, parsed(late.out)["aimeter_ok", frozenset()]) == (1, 0)


@pytest.mark.parametrize(
    "line", [("plans", "list"), ("sync-stripe-overages",), ("sync", "status"), ("doctor",)]
)
def test_no_other_command_knows_the_format_and_does_anything(
    cli: Cli, line: tuple[str, ...]
) -> None:
    shown = cli(*line, "--format", "prometheus")
    assert (shown.code, shown.out) == (2, "")
    assert shown.err == (
        "error: --format: prometheus is for aimeter status only\n"
        "hint: Expected table, plain, markdown, csv, tsv, json or jsonl.\n"
    )


def test_each_line_of_the_format_that_is_wrong_would_be_seen() -> None:
    """The parser of these tests is strict."""
    good = '# HELP a x\n# TYPE a gauge\na{b="c"} 1\n'
    assert parsed(good)
    for wrong in ('a{b="\\x"} 1', "a{b=c} 1", "a 1,0", "a  1", 'a{b="c"} 1\na{b="c"} 1', "b 1"):
        with pytest.raises(AssertionError):
            parsed(f"# HELP a x\n# TYPE a gauge\n{wrong}\n")
