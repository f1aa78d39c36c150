"""Imports: good lines are kept, bad ones told, the same file again adds nothing."""

from __future__ import annotations

import io
import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aimeter_cli.domain.pricing import NO_PRICES
from aimeter_cli.errors import InvalidInput
from aimeter_cli.models.usages import Usage
from aimeter_cli.services.recording.import_file import (
    ImportReport,
    format_of,
    import_usages,
    open_source,
)
from aimeter_cli.services.recording.record import Recorder
from tests.support.world import World

LINE: dict[str, Any] = {
    "billable": "user:42", "provider": "openai", "model": "gpt-4o-mini", "input_tokens": 10,
    "cost": "0.001", "occurred_at": "2026-11-10T00:00:00Z",
}  # fmt: skip


def load(world: World, *lines: Any, form: Any = "jsonl", **options: Any) -> ImportReport:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    return import_usages(
        Recorder(world.database, world.settings, NO_PRICES),
        io.StringIO("\n".join(texts), newline=""),
        name="file", form=form, now=world.now, **options,
    )  # fmt: skip


def counts(report: ImportReport) -> tuple[int, int, int, int]:
    return report.lines, report.recorded, report.repeated, report.bad


def test_equal_lines_without_a_key_are_different_calls_and_the_file_again_adds_nothing(
    world: World,
) -> None:
    lines = [LINE, LINE, {**LINE, "input_tokens": 11}]
    assert counts(load(world, *lines)) == (3, 3, 0, 0)
    assert counts(load(world, *lines)) == (3, 0, 3, 0)
    assert counts(load(world, *reversed(lines))) == (3, 0, 3, 0)
    assert len(world.rows(Usage)) == 3


def test_the_content_key_does_not_depend_on_how_a_value_is_written(world: World) -> None:
    assert load(world, LINE).recorded == 1
    same = {
        **dict(reversed(LINE.items())), "cost": "0.0010", "feature": None, "currency": "",
        "occurred_at": "2026-11-10T01:00:00+01:00",
    }  # fmt: skip
    assert counts(load(world, same)) == (1, 0, 1, 0)


def test_bad_lines_are_told_with_number_and_reason_and_good_ones_are_kept(world: World) -> None:
    report = load(
        world, LINE, "{", '"text"', {**LINE, "billable": "nobody"}, "",
        {**LINE, "occurred_at": None}, {**LINE, "tokens": 3},
        {**LINE, "occurred_at": "2026-12-01T00:00:00Z"}, {**LINE, "input_tokens": -1},
        '{"a":1} {"b":2}', {**LINE, "feature": "last"},
    )  # fmt: skip
    assert counts(report) == (10, 2, 0, 8)
    assert [(bad.line, bad.reason.split(":")[0]) for bad in report.errors] == [
        (2, "not JSON"),
        (3, "expected a JSON object"),
        (4, "'nobody' is not a billable"),
        (6, "occurred_at"),
        (7, "unknown field 'tokens'"),
        (8, "occurred_at"),
        (9, "input_tokens"),
        (10, "not JSON"),
    ]


def test_stop_ends_at_the_first_bad_line_and_keeps_the_good_ones_before_it(world: World) -> None:
    report = load(world, LINE, "{", {**LINE, "feature": "after"}, on_error="stop")
    assert (counts(report), report.stopped) == ((2, 1, 0, 1), True)
    assert len(world.rows(Usage)) == 1


def test_a_key_with_other_content_is_a_bad_line(world: World) -> None:
    report = load(
        world, {**LINE, "idempotency_key": "k"}, {**LINE, "idempotency_key": "k"},
        {**LINE, "idempotency_key": "k", "cost": "1"},
    )  # fmt: skip
    assert counts(report) == (3, 1, 1, 1)
    assert report.errors[0].reason == "idempotency_key: 'k' was used for another usage"


def test_costs_keep_every_digit_that_json_has(world: World) -> None:
    load(world, json.dumps(LINE).replace('"0.001"', "0.290000001"))
    assert world.rows(Usage)[0].cost == Decimal("0.290000001")


def test_csv_is_read_by_its_header(world: World) -> None:
    report = load(
        world,
        "billable,provider,model,input_tokens,cost,occurred_at,meta",
        'user:42,openai,gpt-4o-mini,10,0.5,2026-11-10T00:00:00Z,"{""ticket"": 9}"',
        "user:42,openai,gpt-4o-mini,ten,0.5,2026-11-10T00:00:00Z,",
        "user:42,openai",
        form="csv",
    )
    assert counts(report) == (3, 1, 0, 2)
    assert [bad.line for bad in report.errors] == [3, 4]
    [usage] = world.rows(Usage)
    assert (usage.cost, usage.meta) == (Decimal("0.5"), '{"ticket": 9}')


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("billable,colour", "file:1: unknown column 'colour'"),
        ("provider,model", "file:1: no column billable"),
        ("billable,billable", "file:1: a column stands twice"),
        ("", "file:1: no column billable"),
    ],
)
def test_a_csv_with_a_wrong_header_is_refused_whole(world: World, header: str, told: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        load(world, header, "user:1,x", form="csv")
    assert caught.value.message.startswith(told)


def test_a_dry_run_reports_and_records_nothing(world: World) -> None:
    assert counts(load(world, LINE, "{", dry_run=True)) == (2, 1, 0, 1)
    assert world.rows(Usage) == []


def test_a_file_of_many_batches_is_counted_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aimeter_cli.services.recording import import_file

    monkeypatch.setattr(import_file, "BATCH", 7)
    world.subscriber(plan=world.plan(token_limit=0), customer=None)
    advanced: list[int] = []
    report = load(world, *[{**LINE, "input_tokens": n} for n in range(50)], advance=advanced.append)
    assert counts(report) == (50, 50, 0, 0)
    assert advanced == [7] * 7 + [1]
    assert world.overages[0].tokens == sum(range(50))


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (str(pipe), "/dev/null", str(tmp_path)):
        with (
            pytest.raises(InvalidInput, match="is not a regular file"),
            open_source(path, io.BytesIO),
        ):
            pytest.fail("it was opened")
    with pytest.raises(InvalidInput, match="No such file"), open_source("gone", io.BytesIO):
        pytest.fail("it was opened")


def test_standard_input_is_read_for_a_dash() -> None:
    with open_source("-", lambda: io.BytesIO(b"\xef\xbb\xbfone\n\xfftwo")) as source:
        assert list(source) == ["one\n", "\\xfftwo"]


@pytest.mark.parametrize(
    ("path", "given", "form"),
    [("a.csv", None, "csv"), ("a.CSV", None, "csv"), ("a", None, "jsonl"), ("a", "csv", "csv"),
     ("a.csv", "jsonl", "jsonl"), ("-", None, "jsonl")],
)  # fmt: skip
def test_the_format_follows_the_option_then_the_ending(
    path: str, given: str | None, form: str
) -> None:
    assert format_of(path, given) == form


def test_an_interrupted_import_says_how_far_it_came_and_goes_on_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aimeter_cli.services.recording.import_file.BATCH", 2)
    lines = [{**LINE, "input_tokens": tokens} for tokens in range(1, 6)]

    def interrupt(_lines: int) -> None:
        raise KeyboardInterrupt

    stopped = load(world, *lines, advance=interrupt)
    assert (stopped.interrupted, counts(stopped)) == (True, (2, 2, 0, 0))
    again = load(world, *lines)
    assert (again.interrupted, counts(again)) == (False, (5, 3, 2, 0))
