"""The quota middleware of ASGI applications."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from aimeter_cli.metering.asgi import Message, QuotaMiddleware, Receive, Scope, Send
from aimeter_cli.metering.meter import AiMeter
from tests.metering.conftest import Make, chat


class Page:
    """An application that may meter a call, then answers."""

    def __init__(self, meter: AiMeter | None = None) -> None:
        self.meter = meter
        self.asked = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        if self.meter is not None:
            await self.meter.acall(lambda: chat(100, 50))
        await send({"type": "http.response.start", "status": 200,
                    "headers": [(b"content-type", b"text/plain")]})  # fmt: skip
        await send({"type": "http.response.body", "body": b"ok"})


def of_header(scope: Scope) -> str | None:
    """``x-user: 42`` pays as ``user:42``."""
    found = dict(scope["headers"]).get(b"x-user")
    return f"user:{found.decode()}" if found else None


async def awaited(scope: Scope) -> str | None:
    await asyncio.sleep(0)
    return of_header(scope)


def get(app: Any, user: str | None = "42", kind: str = "http") -> tuple[int, dict[str, str], bytes]:
    """Status, headers, body."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    headers = [(b"x-user", user.encode())] if user else []
    asyncio.run(app({"type": kind, "path": "/", "headers": headers}, receive, send))
    start, body = sent
    told = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], told, body["body"]


def test_a_blocked_billable_gets_429_and_the_application_is_not_asked(make: Make) -> None:
    meter = make(token_limit=100, overage_behavior="block")
    meter.call(lambda: chat(100, 0))
    page = Page()
    status, headers, body = get(QuotaMiddleware(page, billable=of_header, meter=meter))
    told = json.loads(body)
    assert (status, page.asked) == (429, 0)
    assert told["error"] == "limit_exceeded"
    assert (told["billable"], told["remaining_tokens"]) == ("user:42", 0)
    assert told["period_end"] == "2026-12-01T00:00:00Z"
    assert headers["retry-after"] == str(15 * 86400 + 12 * 3600)
    assert headers["content-type"] == "application/json"
    assert int(headers["content-length"]) == len(body)
    assert headers["x-remaining-tokens"] == "0"


@pytest.mark.parametrize("billable", [of_header, awaited])
def test_headers_tell_what_is_left_after_the_call(make: Make, billable: Any) -> None:
    meter = make(token_limit=1000, cost_limit=None)
    page = Page(meter)
    status, headers, body = get(QuotaMiddleware(page, billable=billable, meter=meter))
    assert (status, body, page.asked) == (200, b"ok", 1)
    assert headers["x-remaining-tokens"] == "850"
    assert headers["x-usage-percentage"] == "15.00"
    assert "x-remaining-cost" not in headers
    assert headers["content-type"] == "text/plain"


def test_what_is_not_metered_passes_untouched(make: Make) -> None:
    meter = make(token_limit=0, overage_behavior="block")
    app = QuotaMiddleware(Page(), billable=of_header, meter=meter)
    for user, kind in ((None, "http"), ("42", "websocket")):
        status, headers, _ = get(app, user, kind)
        assert (status, list(headers)) == (200, ["content-type"])
