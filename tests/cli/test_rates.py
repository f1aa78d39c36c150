"""``aimeter rates`` from outside."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tests.conftest import Cli

AT = ("--as-of", "2026-11-15T12:00:00Z")


def test_rates_are_set_used_and_removed(cli: Cli) -> None:
    stored = cli("rates", "set", "USD", "eur", "0.85", *AT, "--format", "json")
    assert stored.json == {
        "base": "usd",
        "quote": "eur",
        "rate": "0.85",
        "effective_at": "2026-11-15T12:00:00Z",
        "source": "manual",
        "effect": "added",
        "previous": None,
        "held_id": None,
    }
    assert cli("rates", "convert", "10", "usd", "eur", *AT, "--format", "json").json == {
        "amount": "10.000000000",
        "currency": "usd",
        "result": "8.500000000",
        "result_currency": "eur",
        "rate": "0.85",
        "via": "usd/eur 0.85 (manual 2026-11-15)",
        "at": "2026-11-15T12:00:00Z",
    }
    assert cli("rates", "list", *AT, "--format", "csv").out == (
        "base,quote,rate,effective_at,source,age_days,status,held_id\n"
        "usd,eur,0.85,2026-11-15T12:00:00Z,manual,0,current,\n"
    )
    assert cli("rates", "history", "usd", "eur", *AT, "--format", "jsonl").out.count("\n") == 1
    assert cli("rates", "remove", "usd", "eur").code == 0
    gone = cli("rates", "convert", "10", "usd", "eur")
    assert (gone.code, gone.err) == (
        1,
        (
            "error: no rate from usd to eur\n"
            "hint: aimeter rates update --from ecb, or aimeter rates set usd eur RATE\n"
        ),
    )


def test_a_rate_far_from_the_last_one_is_stored_with_a_warning(cli: Cli) -> None:
    for value, said in (
        ("0.85", ""),
        ("0.9", ""),
        ("9", "warning: far from the rate before it, 0.9; is it right?\n"),
    ):
        done = cli("rates", "set", "usd", "eur", value, *AT)
        assert (done.code, done.err) == (0, said)


def test_removing_several_rates_needs_consent(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("rates", "set", "usd", "eur", "0.85", "--at", "2026-11-01")
    cli("rates", "set", "usd", "eur", "0.86", "--at", "2026-11-02")
    remove = ("rates", "remove", "usd", "eur")
    refused = cli(*remove)
    assert (refused.code, refused.err) == (
        2,
        (
            "error: Remove all 2 rates from usd to eur? There is nobody to ask.\n"
            "hint: Add --yes to agree.\n"
        ),
    )
    declined = cli(*remove, terminal=True, stdin="n\n")
    assert declined.code == 1
    assert declined.err.endswith("error: aborted; nothing was changed\n")
    assert cli(*remove, "--at", "2026-11-01").code == 0
    assert cli(*remove, terminal=True, stdin="y\n").code == 0


def test_a_file_of_rates_is_stored_whole_or_not_at_all(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "rates.json"
    update = ("rates", "update", "--from", file)
    file.write_text(json.dumps({"base": "usd", "date": "2026-11-01", "rates": {"eur": "0.85"}}))
    assert cli(*update).err == "1 added, 0 changed, 0 unchanged\n"
    assert cli(*update).err == "0 added, 0 changed, 1 unchanged\n"
    file.write_text(json.dumps({"base": "usd", "rates": {"eur": "0.9", "xxx": "1"}}))
    broken = cli(*update)
    assert broken.code == 2
    assert broken.err.startswith(f"error: {file}: rates.xxx: unknown currency 'xxx'")
    assert len(cli("rates", "history", "usd", "eur", "--format", "json").json) == 1


def _document(tmp_path: Path, day: str, **rates: str) -> Path:
    file = tmp_path / f"{day}.json"
    file.write_text(json.dumps({"base": "eur", "date": day, "rates": rates}))
    return file


def test_a_rate_that_moves_too_far_waits_for_the_operator(cli: Cli, tmp_path: Path) -> None:
    first = _document(tmp_path, "2026-11-13", usd="1.10", gbp="0.85")
    second = _document(tmp_path, "2026-11-14", usd="1.50", gbp="0.86")
    env = {"AI_METERING_CURRENCY": "eur"}
    assert cli("rates", "update", "--from", first, *AT, env=env).code == 0
    update = ("rates", "update", "--from", second, *AT)
    rehearsed = cli(*update, "--dry-run", "--format", "csv", env=env)
    assert (rehearsed.code, rehearsed.err) == (
        3,
        (
            "1 added, 0 changed, 0 unchanged, 1 held\n"
            "dry run: nothing was changed\n"
            "error: 1 rate(s) moved by more than rate_max_move and are held, not used\n"
            "hint: Add --confirm to use them.\n"
        ),
    )
    for counts in ("1 added, 0 changed, 0 unchanged", "0 added, 0 changed, 1 unchanged"):
        held = cli(*update, "--format", "csv", env=env)
        assert (held.code, held.err) == (
            3,
            (
                f"{counts}, 1 held\n"
                "error: 1 rate(s) moved by more than rate_max_move and are held, not used\n"
                "hint: To use them: aimeter rates confirm 1\n"
            ),
        )
        assert held.out.endswith("eur,usd,1.50,2026-11-14T00:00:00Z,2026-11-14.json,held,1.1,1\n")
    listed = cli("rates", "list", *AT, "--format", "csv", env=env)
    assert listed.out == (
        "base,quote,rate,effective_at,source,age_days,status,held_id\n"
        "eur,gbp,0.86,2026-11-14T00:00:00Z,2026-11-14.json,1,current,\n"
        "eur,usd,1.10,2026-11-13T00:00:00Z,2026-11-13.json,2,current,\n"
        "eur,usd,1.50,2026-11-14T00:00:00Z,2026-11-14.json,1,held,1\n"
    )
    assert listed.err == "1 held; to use them: aimeter rates confirm 1\n"
    convert = ("rates", "convert", "10", "eur", "usd", *AT, "--format", "json")
    assert cli(*convert, env=env).json["result"] == "11.000000000"
    assert cli("rates", "confirm", "1", "--dry-run", *AT, env=env).err.endswith("was changed\n")
    assert cli(*convert, env=env).json["result"] == "11.000000000"
    confirmed = cli("rates", "confirm", "1", *AT, env=env)
    assert (confirmed.code, confirmed.err) == (0, "1 added, 0 changed, 0 unchanged\n")
    assert cli(*convert, env=env).json["result"] == "15.000000000"
    unknown = cli("rates", "confirm", "1", env=env)
    assert (unknown.code, unknown.err) == (
        1,
        "error: there is no held rate 1\nhint: aimeter rates list\n",
    )


def test_a_moved_rate_is_used_at_once_or_removed_where_the_operator_says_so(
    cli: Cli, tmp_path: Path
) -> None:
    cli("rates", "update", "--from", _document(tmp_path, "2026-11-13", usd="1"), *AT)
    wrong = _document(tmp_path, "2026-11-14", usd="100")
    assert cli("rates", "update", "--from", wrong, *AT).code == 3
    removed = cli("rates", "remove", "eur", "usd", "--held", "--format", "csv")
    assert removed.out == (
        "base,quote,rate,effective_at,source\neur,usd,100,2026-11-14T00:00:00Z,2026-11-14.json\n"
    )
    right = _document(tmp_path, "2026-11-15", usd="2")
    assert cli("rates", "update", "--from", right, "--confirm", *AT).code == 0
    history = cli("rates", "history", "usd", "eur", *AT, "--format", "json").json
    assert [(row["rate"], row["status"]) for row in history] == [("2", "current"), ("1", "past")]
    later = cli("rates", "history", "usd", "eur", "--since", "2026-11-14", "--format", "json").json
    assert [row["rate"] for row in later] == ["2"]


@pytest.mark.parametrize(("percent", "code"), [("60", 0), ("60%", 0), ("49.9", 3), ("much", 4)])
def test_how_far_a_rate_may_move_is_set_in_per_cent(
    percent: str, code: int, cli: Cli, tmp_path: Path
) -> None:
    env = {"AI_METERING_RATE_MAX_MOVE": percent}
    for day, rate in (("2026-11-13", "1"), ("2026-11-14", "1.5")):
        done = cli("rates", "update", "--from", _document(tmp_path, day, usd=rate), *AT, env=env)
    assert done.code == code
    if code == 4:
        assert "AI_METERING_RATE_MAX_MOVE: expected a percentage from 0 to 1000" in done.err


def test_every_update_leaves_a_row_that_says_how_it_went(cli: Cli, tmp_path: Path) -> None:
    first = _document(tmp_path, "2026-11-13", usd="1")
    cli("rates", "update", "--from", first, "--dry-run")
    cli("rates", "update", "--from", first)
    cli("rates", "update", "--from", _document(tmp_path, "2026-11-14", usd="2"))
    cli("rates", "update", "--from", "nowhere")
    with sqlite3.connect(tmp_path / "aimeter.db") as connection:
        rows = connection.execute(
            "SELECT command, exit_code, counts, error FROM ai_job_runs ORDER BY started_at"
        ).fetchall()
    connection.close()
    assert rows == [
        ("rates update", 0, '{"added": 1, "changed": 0, "unchanged": 0}', None),
        ("rates update", 3, '{"added": 0, "changed": 0, "held": 1, "unchanged": 0}', None),
        ("rates update", 2, None, "--from: there is no file nowhere"),
    ]


def test_pitfall_25_what_waits_for_a_rate_is_priced_by_the_next_update(
    cli: Cli, tmp_path: Path
) -> None:
    cli("plans", "create", "Pro", "--overage-behavior", "charge", "--cost-limit", "1")
    cli("subscriptions", "create", "--billable", "user:42", "--plan", "pro",
        "--started-at", "2026-11-01")  # fmt: skip
    call = ("usage", "record", "--billable", "user:42", "--provider", "openai", "--model", "m",
            "--input-tokens", "5", "--cost", "2", "--currency", "eur")  # fmt: skip
    assert cli(*call, *AT, "--format", "json").json["state"] == "needs_rate"
    cli("rates", "set", "eur", "usd", "1.5", "--at", "2026-11-15")
    update = ("rates", "update", "--from", _document(tmp_path, "2026-11-15", usd="1.5"), *AT)
    counts = "0 added, 0 changed, 1 unchanged\n"
    assert cli(*update, "--dry-run").err == f"{counts}dry run: nothing was changed\n"
    assert cli("overages", "list", "--format", "json").json == []
    assert cli(*update).err == f"{counts}1 usage(s) waited for a rate and are priced now\n"
    [overage] = cli("overages", "list", "--format", "json").json
    assert (overage["amount"], overage["currency"]) == ("2.000000000", "usd")


@pytest.mark.parametrize("value", ["0", "-1", "x", "nan", "1e40"])
def test_a_rate_is_a_positive_number(value: str, cli: Cli) -> None:
    done = cli("rates", "set", "usd", "eur", "--", value)
    assert done.code == 2
    assert done.err.startswith("error: VALUE: ")
