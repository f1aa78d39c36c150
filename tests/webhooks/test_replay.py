"""Files of events, however they were saved."""

from __future__ import annotations

import io
import json
import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from aimeter_cli.errors import InvalidInput
from aimeter_cli.webhooks import replay as replaying
from aimeter_cli.webhooks.handling import Handling
from aimeter_cli.webhooks.registry import HANDLERS
from aimeter_cli.webhooks.replay import Wanted
from aimeter_cli.webhooks.results import EventResult, Outcome
from tests.webhooks.conftest import World
from tests.webhooks.doors.assembly import intake_of
from tests.webhooks.payloads import deletion, event, failure, payment, renewal, subscription

EVENTS = [renewal(), failure(), payment(), deletion()]
IDS = [each["id"] for each in EVENTS]


def replay(world: World, *sources: Path | str, **options: Any) -> list[EventResult]:
    wanted = Wanted(options.pop("types", ()), options.pop("since", None))
    taken = replaying.replay(intake_of(world), sources, wanted=wanted, **options)
    return [result for some in taken for result in some.results]


def listing(events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"object": "list", "url": "/v1/events", "has_more": False, "data": events}


LINES = "\n".join(map(json.dumps, EVENTS))


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(EVENTS),
        json.dumps(EVENTS[::-1], indent=2),
        json.dumps(listing(EVENTS[::-1])),
        LINES,
        LINES.replace("\n", "\r\n\r\n") + "\n\n",
        "\ufeff" + LINES,
        "\n".join(json.dumps(each, indent=2) for each in EVENTS),
        json.dumps(EVENTS[:2]) + "\n" + json.dumps(listing(EVENTS[2:])),
        ",\n".join(map(json.dumps, EVENTS)),
        "\n".join(map(json.dumps, EVENTS[::-1])),
        LINES.replace("\n", "", 1),
        LINES.replace(": ", ":").replace(", ", ","),
    ],
    ids=[
        "array",
        "reversed",
        "list",
        "jsonl",
        "crlf",
        "bom",
        "concatenated",
        "mixed",
        "commas",
        "newest first",
        "two in a line",
        "compact",
    ],
)
def test_every_form_of_a_file_is_replayed_oldest_first(
    world: World, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "events"
    file.write_text(text, encoding="utf-8")
    results = replay(world, file)
    assert [result.event_id for result in results] == IDS
    assert {(result.file, result.status) for result in results} == {(str(file), "processed")}


def test_a_single_event_is_replayed(world: World, tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text(json.dumps(renewal(), indent=2))
    [result] = replay(world, tmp_path / "event.json")
    assert result.status == "processed"


def test_events_of_one_second_keep_the_order_of_stripes_list(world: World, tmp_path: Path) -> None:
    at = "2026-11-10"
    first = event("customer.subscription.updated", subscription(), at, id="evt_b")
    second = event("customer.subscription.updated", subscription(), at, id="evt_a")
    (tmp_path / "list.json").write_text(json.dumps(listing([second, first])))
    assert [r.event_id for r in replay(world, tmp_path / "list.json")] == ["evt_b", "evt_a"]


def test_a_folder_is_read_by_name_and_other_files_left_alone(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "events"
    folder.mkdir()
    for name, each in zip(("b.json", "a.jsonl", "c.ndjson"), EVENTS, strict=False):
        (folder / name).write_text(json.dumps(each))
    (folder / "notes.txt").write_text("not this")
    (folder / "sub.json").mkdir()
    found = [Path(result.file).name for result in replay(world, folder)]
    assert found == ["a.jsonl", "b.json", "c.ndjson"]


def test_stdin_is_read_for_a_dash(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for stdin in (io.StringIO(LINES), io.TextIOWrapper(io.BytesIO(LINES.encode()), "latin-1")):
        monkeypatch.setattr("sys.stdin", stdin)
        assert [(r.file, r.event_id) for r in replay(world, "-")] == [("-", each) for each in IDS]


def test_a_file_that_cannot_be_read_is_refused(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "events.jsonl").write_text(LINES)
    monkeypatch.setattr(replaying, "open_regular", refuses)
    with pytest.raises(InvalidInput, match="Permission denied"):
        replay(world, tmp_path / "events.jsonl")


@pytest.mark.parametrize(
    "bad",
    ['{"object": "event", "id":', 'got {"id": "evt_1", "obj', "{}", "\udcff{}"],
)
def test_one_bad_line_never_stops_the_rest(world: World, tmp_path: Path, bad: str) -> None:
    lines = LINES.splitlines()
    file = tmp_path / "log.jsonl"
    text = "\n".join([lines[0], bad, *lines[1:]])
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    results = replay(world, file)
    assert sorted(result.status for result in results) == ["processed"] * 4 + ["quarantined"]
    assert [r.event_id for r in results if not r.is_bad] == IDS


def test_lines_in_order_are_not_copied_before_they_are_taken_in(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(replaying, "Spool")
    (tmp_path / "events.jsonl").write_text(LINES)
    assert [result.event_id for result in replay(world, tmp_path / "events.jsonl")] == IDS
    broken = json.dumps({**EVENTS[3], "id": "evt_cut"})[:-20]
    (tmp_path / "events.jsonl").write_text(f"{LINES}\n{broken}")
    monkeypatch.undo()
    results = replay(world, tmp_path / "events.jsonl")
    assert [result.status for result in results] == ["duplicate"] * 4 + ["quarantined"]


def test_a_file_cut_off_is_quarantined_as_one(world: World, tmp_path: Path) -> None:
    text = json.dumps(renewal(), indent=2)
    (tmp_path / "cut.json").write_text(text[: len(text) // 2])
    [result] = replay(world, tmp_path / "cut.json")
    assert (result.status, result.error) == ("quarantined", "not a Stripe event: it is no JSON")
    assert len(world.stored()) == 1


def test_an_empty_file_holds_no_event(world: World, tmp_path: Path) -> None:
    (tmp_path / "empty.json").write_text("\n")
    (tmp_path / "empty_list.json").write_text(json.dumps(listing([])))
    assert replay(world, tmp_path) == []


def test_a_broken_list_is_quarantined(world: World, tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text('{"object": "list", "data": null}')
    [result] = replay(world, tmp_path / "list.json")
    assert result.error == (
        "not a Stripe event but a bare list object, without the event around it"
    )


def test_only_the_wanted_types_are_taken_in(world: World, tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text(LINES)
    results = replay(world, tmp_path / "events.jsonl", types=("invoice.paid",))
    assert [result.type for result in results] == ["invoice.paid"]
    assert len(world.stored()) == 1


def test_a_source_that_is_missing_or_no_file_is_refused_before_anything_is_done(
    world: World, tmp_path: Path
) -> None:
    (tmp_path / "events.jsonl").write_text(LINES)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidInput, match="there is no such file or folder"):
        replay(world, tmp_path / "events.jsonl", tmp_path / "missing")
    for device in (tmp_path / "pipe", Path(os.devnull)):
        with pytest.raises(InvalidInput, match="is no file"):
            replay(world, tmp_path / "events.jsonl", device)
    assert world.stored() == []


def test_a_dry_run_sees_the_effects_of_earlier_events_and_keeps_nothing(
    any_world: World, tmp_path: Path
) -> None:
    (tmp_path / "events.jsonl").write_text(LINES)
    before = any_world.state()
    rehearsed = replay(any_world, tmp_path / "events.jsonl", dry_run=True)
    assert (any_world.state(), any_world.stored()) == (before, [])
    assert replay(any_world, tmp_path / "events.jsonl") == rehearsed
    assert [bool(result.changes) for result in rehearsed] == [True] * 4


def test_many_events_replayed_twice_change_no_row_the_second_time(
    any_world: World, tmp_path: Path
) -> None:
    """Over several chunks, with duplicates, an unknown subscription and rubbish among them."""
    updates = [
        event(
            "customer.subscription.updated",
            subscription(id=("sub_Pro1", "sub_Else")[n % 9 == 0], metadata={"n": n}),
            f"2026-11-{n % 28 + 1:02d}T{n % 24:02d}:00:00",
            id=f"evt_{n}",
        )
        for n in range(220)
    ]
    lines = [json.dumps(each) for each in (*updates, *updates[:30])] + ['{"id": "evt_']
    random.Random(1).shuffle(lines)
    (tmp_path / "events.jsonl").write_text("\n".join(lines))
    first = replay(any_world, tmp_path / "events.jsonl")
    before = any_world.state(), any_world.stored()
    second = replay(any_world, tmp_path / "events.jsonl")
    assert (any_world.state(), any_world.stored()) == before
    assert len(first) == len(second) == 251
    assert {result.status for result in second} == {"duplicate", "ignored", "quarantined"}


def test_an_event_that_fails_after_reading_what_came_before_it_undoes_none_of_that(
    any_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was handled of the same object is written before it is read."""
    healthy = HANDLERS["invoice.payment_failed"]
    retried = failure(at="2026-12-02", attempt=2)

    def breaks(handling: Handling) -> Outcome:
        outcome = healthy(handling)
        if handling.event.id == retried["id"]:
            raise ValueError("broken")
        return outcome

    monkeypatch.setitem(HANDLERS, "invoice.payment_failed", breaks)
    events = [failure(), payment(kind="invoice.payment_succeeded"), retried]
    (tmp_path / "events.json").write_text(json.dumps(events))
    results = replay(any_world, tmp_path / "events.json")
    by_id = {result.event_id: result.status for result in results}
    assert by_id == {each["id"]: "processed" for each in events} | {retried["id"]: "failed"}
    assert {each.event_id: each.status for each in any_world.stored()} == by_id
    assert any_world.subscription().grace_invoice_id is None
    assert [payload["attempt_count"] for _, payload in any_world.told()] == [1]


def test_what_a_failing_event_had_changed_is_not_taken_for_done_by_the_next(
    any_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = "customer.subscription.updated"
    healthy, later = HANDLERS[kind], renewal(at="2026-12-01T00:00:09")

    def breaks(handling: Handling) -> Outcome:
        outcome = healthy(handling)
        if handling.event.id == renewal()["id"]:
            raise ValueError("broken")
        return outcome

    monkeypatch.setitem(HANDLERS, kind, breaks)
    (tmp_path / "events.json").write_text(json.dumps([renewal(), later]))
    assert [each.status for each in replay(any_world, tmp_path)] == ["failed", "processed"]
    assert any_world.state()["current_period_end"] == "2027-01-01T00:00:00Z"


def test_one_failing_event_undoes_no_other_of_its_chunk(any_world: World, tmp_path: Path) -> None:
    broken = renewal(at="2026-12-01T00:00:06")
    broken["data"]["object"]["ended_at"] = "soon"
    (tmp_path / "events.json").write_text(json.dumps([*EVENTS, broken]))
    assert [result.status for result in replay(any_world, tmp_path / "events.json")] == [
        "processed", "failed", "processed", "processed", "processed",
    ]  # fmt: skip
    assert not any_world.subscription().is_live
