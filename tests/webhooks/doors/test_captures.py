"""Events as logs, queues and tools keep them."""

from __future__ import annotations

import json
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest

from aimeter_cli.webhooks import scanning
from aimeter_cli.webhooks.replay import Wanted, replay
from aimeter_cli.webhooks.results import EventResult
from aimeter_cli.webhooks.scanning import values
from aimeter_cli.webhooks.spool import Spool
from aimeter_cli.webhooks.unwrapping import events_in
from tests.webhooks.conftest import World
from tests.webhooks.doors.assembly import intake_of
from tests.webhooks.payloads import deletion, failure, payment, renewal, subscription

EVENTS = [renewal(), failure(), payment(), deletion()]
IDS = [each["id"] for each in EVENTS]
ONE, OTHER = json.dumps(EVENTS[0]), json.dumps(EVENTS[1])


def taken(world: World, file: Path, text: str, **wanted: Any) -> list[EventResult]:
    file.write_text(text, encoding="utf-8")
    found = replay(intake_of(world), [file], wanted=Wanted(**wanted), dry_run=True)
    return [result for some in found for result in some.results]


def bridge(event: dict[str, Any]) -> dict[str, Any]:
    return {"version": "0", "id": "x", "detail-type": event["type"], "source": "aws.partner/stripe",
            "time": "2026-12-01T00:00:00Z", "detail": event}  # fmt: skip


FORMS = {
    "time stamps": "\n".join(f"2026-12-01T00:00:0{n}Z INFO {json.dumps(each)}"
                             for n, each in enumerate(EVENTS)),
    "syslog": "\n".join(f"Dec  1 00:00:00 web[7]: received {json.dumps(each)} ok"
                        for each in EVENTS),
    "bodies": "\n".join(json.dumps({"level": "info", "time": 5, "body": each}) for each in EVENTS),
    "payload texts": json.dumps([{"req": {"payload": json.dumps(each)}} for each in EVENTS]),
    "container logs": "\n".join(json.dumps({"log": "got " + json.dumps(each) + "\n"})
                                for each in EVENTS),
    "queue": json.dumps({"Records": [{"Sns": {"Type": "Notification", "Message": json.dumps(each)}}
                                     for each in EVENTS]}),
    "queue of bridges": "\n".join(json.dumps({"body": json.dumps(bridge(each))})
                                  for each in EVENTS),
    "bridges": "\n".join(json.dumps(bridge(each)) for each in EVENTS),
    "list in a log": json.dumps({"message": {"object": "list", "data": EVENTS[::-1]}}),
    "trigger": "Setting up fixture for: customer\nRunning fixture for: customer\n"
               + json.dumps(EVENTS, indent=2) + "\nTrigger succeeded! Check dashboard for details.",
    "listen": "> Ready! You are using Stripe API Version [2026-10-28]\n"
              "2026-12-01 00:00:01   --> customer.subscription.updated [sub_1]\n"
              + "\n".join(map(json.dumps, EVENTS))
              + "\n2026-12-01 00:00:02  <--  [200] POST http://localhost:8787/stripe/webhook\n",
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_events_are_found_in_captures(world: World, tmp_path: Path, form: str) -> None:
    results = taken(world, tmp_path / "capture.log", FORMS[form])
    assert [(each.event_id, each.status) for each in results] == [(i, "processed") for i in IDS]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (json.dumps(subscription()), "a bare subscription object"),
        (json.dumps(renewal()["data"]), "the data of an event"),
        (json.dumps({"body": {"id": "evt_1", "object": "v2.core.event"}}), "a thin v2 event"),
        ('{"level": "info", "msg": "started"}', '"object" is not "event"'),
        ('2026-12-01T00:00:00Z got {"id": "evt_1", "object": "eve', "more after its end"),
    ],
)
def test_what_is_no_event_is_told_apart(
    world: World, tmp_path: Path, text: str, reason: str
) -> None:
    [first, second] = taken(world, tmp_path / "capture.log", f"{text}\n{ONE}")
    assert (first.status, second.status) == ("quarantined", "processed")
    assert reason in (first.error or "")


@pytest.mark.parametrize(
    "line", ['10.0.0.1 - - [01/Dec/2026] "POST /stripe/webhook" 200', "no event at all",
             '2026-12-01T00:00:00Z {"level": "info"}', "  --> invoice.paid [evt_1]",
             "123", '"text"'],
)  # fmt: skip
def test_lines_of_a_log_that_hold_no_event_are_counted_and_not_kept(
    world: World, tmp_path: Path, line: str
) -> None:
    file, left_out = tmp_path / "access.log", list[int]()
    file.write_text("".join(f"{each}\n" for each in (line, "GET /", ONE, line)))
    found = replay(intake_of(world), [file], left_out=left_out.append)
    assert [(each.event_id, each.status) for some in found for each in some.results] == [
        (IDS[0], "processed")
    ]
    assert [each.event_id for each in world.stored()] == [IDS[0]]
    assert sum(left_out) == 3


@pytest.mark.parametrize(
    "broken", ['got {"id": "evt_1", "type": "inv', 'got {"object":"event", "id', ONE[:-30],
               'got "{\\"object\\": \\"event\\", \\"id'],
)  # fmt: skip
def test_an_event_in_a_log_that_cannot_be_read_is_quarantined(
    world: World, tmp_path: Path, broken: str
) -> None:
    results = taken(world, tmp_path / "a.log", f"GET /\n{broken}\n{OTHER}\n")
    assert [each.status for each in results] == ["quarantined", "processed"]


def test_a_log_without_any_event_is_no_success(world: World, tmp_path: Path) -> None:
    results = taken(world, tmp_path / "a.log", "GET /\nPOST /\n")
    assert {each.status for each in results} == {"quarantined"}


def test_events_before_since_are_left_out(world: World, tmp_path: Path) -> None:
    from datetime import UTC, datetime

    since = datetime(2026, 12, 3, tzinfo=UTC)
    results = taken(world, tmp_path / "all.json", json.dumps(EVENTS), since=since)
    assert [each.event_id for each in results] == IDS[2:]


def test_folders_are_read_with_the_folders_in_them_but_nothing_hidden(
    world: World, tmp_path: Path
) -> None:
    for name, text in (("2026/12/a.json", ONE), ("2026/b.log", OTHER), (".git/c.json", OTHER)):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text(text)
    found = replay(intake_of(world), [tmp_path / "in"])
    names = [Path(result.file).name for some in found for result in some.results]
    assert names == ["a.json", "b.log"]


class Endless:
    """A text without an end, in pieces of any length."""

    def __init__(self, before: str, each: str) -> None:
        self._pieces = (before + each if n == 0 else each for n in count())

    def read(self, size: int) -> str:
        del size
        return next(self._pieces)[:]


@pytest.mark.parametrize(("before", "between"), [("", "\n"), ("[", ","), ("[\n  ", ",\n  ")])
def test_a_file_of_any_size_is_read_piece_by_piece(before: str, between: str) -> None:
    source = Endless(before, ONE + between)
    assert [piece for piece, _ in islice(values(source), 200)] == [ONE] * 200


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_where_the_pieces_end_does_not_matter(size: int) -> None:
    text = (
        f'x {ONE}\nrubbish\n[{OTHER},\n {ONE}]\n{{"a": \n{json.dumps(EVENTS[2], indent=1)}\n"é\\u'
    )
    text += 'D83D"}'

    class Pieces:
        at = 0

        def read(self, _: int) -> str:
            self.at += size
            return text[self.at - size : self.at]

    class Whole:
        at = 0

        def read(self, _: int) -> str:
            self.at += 1
            return text if self.at == 1 else ""

    whole = list(values(Whole()))
    assert list(values(Pieces())) == whole
    assert [v["id"] for _, v in whole if v] == [EVENTS[n]["id"] for n in (0, 1, 0, 2)]


def test_a_spool_gives_texts_back_by_time_from_memory_and_from_a_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = [("b", 2), ("a\udcff\ud800é", 1), ("c", 2), ("", 0), ("d", 3)]
    for limit in (1, 1 << 20):
        monkeypatch.setattr("aimeter_cli.webhooks.spool._IN_MEMORY", limit)
        with Spool() as spool:
            for text, time in texts:
                spool.add(text, time)
            assert list(spool.in_order()) == ["", texts[1][0], "b", "c", "d"]
            assert list(spool.in_order(last_come_first=True)) == ["", texts[1][0], "c", "b", "d"]


def test_an_escaped_half_of_a_character_in_an_array_is_kept_as_it_is() -> None:
    value = {"body": {"object": "event", "id": "evt_1", "text": "\ud83d"}}
    [(text, _)] = events_in("", value)
    assert text.isascii()
    assert json.loads(text) == value["body"]


def test_what_was_read_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "_PIECE", len(ONE))
    scan = scanning._Scan(Endless("", ONE + "\n"))
    for _ in range(50):
        assert scan.skip_between()
        assert scan.value()
    assert len(scan.text) < 5 * len(ONE)


def test_an_event_in_a_text_of_another_object_of_stripe_is_not_believed() -> None:
    body = subscription(metadata={"note": ONE})
    for value in (body, {"body": body}, {"body": json.dumps(body)}):
        assert list(events_in("text", value)) == [("text", value)]
