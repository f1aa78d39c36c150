"""The ASGI application of ``webhooks serve``: checks a delivery, has it stored, answers."""

from __future__ import annotations

import asyncio
import json
import logging
import queue
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from aimeter_cli.errors import AimeterError
from aimeter_cli.webhooks.intake import Assembly
from aimeter_cli.webhooks.reading import incoming
from aimeter_cli.webhooks.refusals import RefusalNotices, Refusals
from aimeter_cli.webhooks.signature import LARGEST, BadSignature, check_signature
from aimeter_cli.webhooks.storer import Delivery, Storer
from aimeter_cli.webhooks.storing import Arrival, arrive

HEALTH = "/healthz"
SOURCE = "endpoint"
_READ_SECONDS = 30.0
_MOST_DISCARDED = 16 * LARGEST
_log = logging.getLogger("aimeter")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@dataclass(slots=True)
class Answer:
    """A status, what is said in JSON, and what the log gets beside it."""

    status: int
    said: dict[str, Any]
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    logged: dict[str, Any] = field(default_factory=dict)


class _GoneAway(Exception):
    """The caller did not wait for the answer."""


class Endpoint:
    """``path`` takes deliveries; ``is_healthy`` tells what ``/healthz`` says; ``notice`` is told
    why deliveries are refused, once a minute at the most."""

    def __init__(
        self,
        app: Assembly,
        storer: Storer,
        secrets: Sequence[str],
        path: str,
        *,
        refusals: Refusals,
        is_healthy: Callable[[], bool],
        clock: Callable[[], float] = time.time,
        notice: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._notices = RefusalNotices(notice)
        self._app, self._storer, self._secrets, self._path = app, storer, secrets, path
        self._refusals, self._is_healthy, self._clock = refusals, is_healthy, clock

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            answer = await self._answer(scope, receive)
        except _GoneAway:
            return
        except Exception as error:  # noqa: BLE001  # no traceback may leave
            _log.error("delivery not answered", extra={"reason": type(error).__name__})
            answer = Answer(500, {"error": "a fault of aimeter"})
        await _send(answer, send, with_body=scope["method"] != "HEAD")

    async def _answer(self, scope: Message, receive: Receive) -> Answer:
        method, path = scope["method"], scope["path"]
        if path == HEALTH:
            if method not in ("GET", "HEAD"):
                return _not_allowed(b"GET, HEAD")
            if self._is_healthy():
                return Answer(200, {"status": "ok"})
            return _unavailable("the database does not answer")
        if path != self._path:
            return Answer(404, {"error": "nothing is here"})
        if method != "POST":
            return _not_allowed(b"POST")
        began = time.monotonic()
        answer = await self._deliver(scope, receive)
        seconds = round(time.monotonic() - began, 3)
        told = {"http_status": answer.status, "seconds": seconds, **answer.logged}
        _log.info("delivery", extra=told)
        if answer.status >= 400:
            self._notices.tell(answer.said["error"])
        return answer

    async def _deliver(self, scope: Message, receive: Receive) -> Answer:
        try:
            async with asyncio.timeout(_READ_SECONDS):
                body = await _body(receive)
        except TimeoutError:
            return Answer(408, {"error": "the body did not come in time"}, [_CLOSE])
        if body is None:
            return Answer(413, {"error": f"the body is larger than {LARGEST} bytes"}, [_CLOSE])
        header = dict(scope["headers"]).get(b"stripe-signature")
        try:
            check_signature(body, header, self._secrets, now=self._clock())
        except BadSignature as error:
            if self._refusals.count(self._app.now()):
                await asyncio.to_thread(self._refusals.write, self._app.database)
            return Answer(400, {"error": error.message}, logged={"reason": error.message})
        return await self._store(arrive(incoming(body, SOURCE)))

    async def _store(self, delivery: Delivery) -> Answer:
        logged = {}
        if isinstance(delivery, Arrival):
            logged = {"event_id": delivery.event.id, "type": delivery.event.type}
        try:
            await asyncio.wrap_future(self._storer.submit(delivery))
        except queue.Full:
            return _unavailable("too many deliveries wait", **logged)
        except (SQLAlchemyError, AimeterError) as error:
            return _unavailable("the database failed", error=type(error).__name__, **logged)
        return Answer(200, {"received": True}, logged=logged)


async def _body(receive: Receive) -> bytes | None:
    """The body; None if it is too large. Some of what is too much is read, so that the caller,
    who may still be sending, hears the answer."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _GoneAway
        part: bytes = message.get("body", b"")
        size += len(part)
        if size <= LARGEST:
            parts.append(part)
        if not message.get("more_body", False) or size > _MOST_DISCARDED:
            return b"".join(parts) if size <= LARGEST else None


_CLOSE = (b"connection", b"close")


def _not_allowed(allowed: bytes) -> Answer:
    return Answer(405, {"error": "method not allowed"}, [(b"allow", allowed)])


def _unavailable(reason: str, **logged: Any) -> Answer:
    """Stripe sends it again."""
    return Answer(503, {"error": reason}, [(b"retry-after", b"30")], {"reason": reason, **logged})


async def _send(answer: Answer, send: Send, *, with_body: bool) -> None:
    body = json.dumps(answer.said).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *answer.headers,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body if with_body else b""})
