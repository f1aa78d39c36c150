"""The ASGI application of ``webhooks serve``, in this process."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from aimeter_cli.db.engine import Database
from aimeter_cli.models.installation import Installation
from aimeter_cli.webhooks import storer as storing
from aimeter_cli.webhooks.endpoint import Endpoint
from aimeter_cli.webhooks.reading import incoming
from aimeter_cli.webhooks.refusals import RefusalNotices, Refusals
from aimeter_cli.webhooks.signature import LARGEST
from aimeter_cli.webhooks.storer import Storer
from aimeter_cli.webhooks.storing import arrive, store
from tests.webhooks.conftest import World
from tests.webhooks.doors.assembly import Parts
from tests.webhooks.doors.signing import SECRET, signed
from tests.webhooks.payloads import renewal

AT = 1_800_000_000
PATH = "/stripe/webhook"
RAW = json.dumps(renewal()).encode()
Told = tuple[int, dict[str, str], bytes]


class Door:
    """The application with its storer; answers are (status, headers, body)."""

    def __init__(self, database: Database) -> None:
        self.is_healthy = True
        self.kept = 0
        self.parts = Parts(database)
        self.storer = Storer(self.parts, self._count)
        self.refusals = Refusals()
        self.said: list[str] = []
        self.endpoint = Endpoint(
            self.parts, self.storer, ["whsec_old", SECRET], PATH, refusals=self.refusals,
            is_healthy=lambda: self.is_healthy, clock=lambda: AT, notice=self.said.append,
        )  # fmt: skip
        self.storer.start()

    def _count(self) -> None:
        self.kept += 1

    def ask(
        self, method: str, path: str, headers: Sequence[tuple[bytes, bytes]], parts: Sequence[bytes]
    ) -> Told | None:
        sent: list[Any] = []
        messages: list[dict[str, Any]] = [
            {"type": "http.request", "body": each, "more_body": True} for each in parts
        ]
        messages += [{"type": "http.request"}]

        async def receive() -> Any:
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": method, "path": path, "headers": list(headers)}
        asyncio.run(self.endpoint(scope, receive, send))
        start, body = sent
        told = {name.decode(): value.decode() for name, value in start["headers"]}
        return start["status"], told, body["body"]

    def post(self, raw: bytes, header: str | None = None) -> int:
        header = signed(raw, AT) if header is None else header
        answer = self.ask("POST", PATH, [(b"stripe-signature", header.encode())], [raw])
        assert answer is not None
        return answer[0]


@pytest.fixture
def door(world: World) -> Iterator[Door]:
    made = Door(world.database)
    yield made
    made.storer.close()


def test_a_signed_delivery_is_stored_before_it_is_answered(door: Door, world: World) -> None:
    assert door.post(RAW) == 200
    [stored] = world.stored()
    assert (stored.event_id, stored.status) == (renewal()["id"], "received")
    assert door.kept == 1


def test_a_delivery_that_comes_again_is_answered_200_and_stored_once(
    door: Door, world: World
) -> None:
    assert [door.post(RAW) for _ in range(3)] == [200] * 3
    assert len(world.stored()) == 1


def test_signed_rubbish_is_kept_and_answered_200(door: Door, world: World) -> None:
    assert door.post(b"\xff{rubbish") == 200
    assert [each.status for each in world.stored()] == ["quarantined"]


@pytest.mark.parametrize("header", [signed(RAW, AT - 301), signed(RAW, AT, "whsec_else"), "t=1"])
def test_a_bad_signature_is_answered_400_and_nothing_is_stored(
    door: Door, world: World, header: str
) -> None:
    assert door.post(RAW, header) == 400
    assert world.stored() == []


def test_refused_deliveries_are_counted_without_a_write_for_each(door: Door, world: World) -> None:
    def written() -> int:
        with world.database.read() as session:
            here = session.get_one(Installation, 1)
            assert (here.delivery_refused_at is None) == (here.deliveries_refused == 0)
            return here.deliveries_refused

    assert [door.post(RAW, "t=1") for _ in range(5)] == [400] * 5
    assert written() == 1  # the others within the minute wait
    door.refusals.write(world.database)
    assert written() == 5


def test_refused_deliveries_are_told_with_their_reason_once_a_minute(door: Door) -> None:
    assert [door.post(RAW, "t=1") for _ in range(3)] == [400] * 3
    assert door.said == [
        "A delivery was refused: the header Stripe-Signature is not of the form t=…,v1=…"
    ]
    now, said = [7.0], door.said
    notices = RefusalNotices(said.append, lambda: now[0])
    for at in (7.0, 8.0, 66.9, 67.0, 68.0):
        now[0] = at
        notices.tell(f"at {at}")
    assert said[1:] == [
        "A delivery was refused: at 7.0",
        "A delivery was refused: at 67.0 (3 since the last notice)",
    ]


@pytest.mark.parametrize("parts", [1, 7])
@pytest.mark.parametrize(("size", "status"), [(LARGEST, 200), (LARGEST + 1, 413)])
def test_a_body_may_have_512_kib_however_it_comes(
    door: Door, parts: int, size: int, status: int
) -> None:
    body = b" " * (size - len(RAW)) + RAW
    step = -(-size // parts)
    pieces = [body[at : at + step] for at in range(0, size, step)]
    header = [(b"stripe-signature", signed(body, AT).encode())]
    answer = door.ask("POST", PATH, header, pieces)
    assert answer is not None
    assert answer[0] == status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", PATH, 405), ("PUT", PATH, 405), ("POST", "/healthz", 405), ("POST", "/", 404),
     ("POST", PATH + "/", 404), ("GET", "/healthz", 200), ("HEAD", "/healthz", 200)],
)  # fmt: skip
def test_other_methods_and_paths(door: Door, method: str, path: str, status: int) -> None:
    answer = door.ask(method, path, [], [])
    assert answer is not None
    assert answer[0] == status
    assert ("allow" in answer[1]) == (status == 405)


def test_health_is_503_while_the_database_does_not_answer(door: Door) -> None:
    door.is_healthy = False
    answer = door.ask("GET", "/healthz", [], [])
    assert answer is not None
    assert answer[0] == 503


def test_trouble_of_the_database_is_answered_503_so_that_it_comes_again(
    door: Door, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*args: Any) -> None:
        raise OperationalError("SELECT 1", {}, Exception("disk I/O error"))

    with monkeypatch.context() as patch:
        patch.setattr(storing, "store", fails)
        assert door.post(RAW) == 503
    assert door.post(RAW) == 200
    assert len(world.stored()) == 1


def test_a_fault_of_ours_says_nothing_and_ends_nothing(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*args: Any) -> None:
        raise RuntimeError("canary")

    header = [(b"stripe-signature", signed(RAW, AT).encode())]
    with monkeypatch.context() as patch:
        patch.setattr(storing, "store", fails)
        answer = door.ask("POST", PATH, header, [RAW])
    assert answer is not None
    assert (answer[0], answer[2]) == (500, b'{"error": "a fault of aimeter"}')
    assert door.post(RAW) == 200


def test_more_deliveries_than_can_wait_are_answered_503(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "_MOST_WAITING", 1)
    monkeypatch.setattr(Storer, "start", lambda self: None)
    door = Door(world.database)
    door.storer.submit(arrive(incoming(b"x", "test")))
    assert door.post(RAW) == 503
    monkeypatch.undo()
    door.storer.start()
    door.storer.close()


def test_one_delivery_that_cannot_be_stored_costs_no_other_its_place(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = arrive(incoming(b"bad", "test"))

    def choosy(session: Any, arrived: Any, now: Any) -> Any:
        if bad in arrived:
            raise OperationalError("INSERT", {}, Exception("no"))
        return store(session, arrived, now)

    monkeypatch.setattr(storing, "store", choosy)
    waiting = Storer(Parts(world.database), lambda: None)
    good = waiting.submit(arrive(incoming(RAW, "test")))
    refused = waiting.submit(bad)
    waiting.start()
    waiting.close()
    assert good.result(0) is True
    assert isinstance(refused.exception(0), OperationalError)


HEADER = st.tuples(
    st.sampled_from([b"stripe-signature", b"content-length", b"content-type", b"x"]),
    st.one_of(st.binary(max_size=40), st.just(signed(RAW, AT).encode()), st.just(b"9" * 5000)),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "OPTIONS", "HEAD", "\x00"]),
    path=st.one_of(st.just(PATH), st.text(max_size=20), st.just("/healthz")),
    headers=st.lists(HEADER, max_size=4),
    parts=st.lists(st.one_of(st.binary(max_size=50), st.just(RAW)), max_size=4),
)
def test_no_request_makes_a_500_or_a_traceback(
    door: Door, method: str, path: str, headers: list[tuple[bytes, bytes]], parts: list[bytes]
) -> None:
    answer = door.ask(method, path, headers, parts)
    assert answer is not None
    assert answer[0] in (200, 400, 404, 405, 413)
    assert b"Traceback" not in answer[2]


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "object", "type", "created", "data", "x\0"]), inner
        )
    ),
    max_leaves=12,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.one_of(JSON, st.builds(lambda more: {**renewal(), "data": more}, JSON)))
def test_whatever_is_signed_is_stored_and_answered_200(door: Door, body: Any) -> None:
    assert door.post(json.dumps(body).encode()) == 200


def test_a_body_that_does_not_come_in_time_is_answered_408(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aimeter_cli.webhooks.endpoint._READ_SECONDS", 0.01)
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": PATH, "headers": []}
    asyncio.run(door.endpoint(scope, receive, send))
    assert (sent[0]["status"], door.kept) == (408, 0)
    assert (b"connection", b"close") in sent[0]["headers"]


def test_a_caller_who_goes_away_is_not_answered(door: Door, world: World) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": PATH, "headers": []}
    asyncio.run(door.endpoint(scope, receive, send))
    asyncio.run(door.endpoint({"type": "websocket"}, receive, send))
    assert sent == []


def test_each_delivery_is_one_line_of_the_log_without_its_payload(
    door: Door, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = logging.getLogger("aimeter")
    monkeypatch.setattr(logger, "handlers", [caplog.handler])
    monkeypatch.setattr(logger, "propagate", False)
    with caplog.at_level(logging.INFO, "aimeter"):
        door.post(RAW)
        door.post(RAW, "t=1")
    lines = [record for record in caplog.records if record.message == "delivery"]
    assert [vars(each)["http_status"] for each in lines] == [200, 400]
    assert vars(lines[0])["event_id"] == renewal()["id"]
    assert "sub_Pro1" not in str([vars(each) for each in lines])
