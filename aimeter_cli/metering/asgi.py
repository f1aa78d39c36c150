"""Quota middleware for ASGI applications (Starlette, FastAPI, Django, Quart …)."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from aimeter_cli.domain.allowance import LimitCheck
from aimeter_cli.errors import AimeterError
from aimeter_cli.metering.meter import AiMeter

_log = logging.getLogger("aimeter")
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


class QuotaMiddleware:
    """429 with a JSON body where the billable is blocked; else headers that tell what is left.

    ``billable`` tells who pays for a request (a billable as :meth:`AiMeter.billable` takes it, or
    an awaitable of one), from its ASGI scope; None: the request is not metered, and passes.
    ``X-Remaining-Tokens``, ``X-Remaining-Cost`` and ``X-Usage-Percentage`` are as of when the
    response begins; one that has no limit is left out.
    """

    def __init__(
        self,
        app: Application,
        *,
        billable: Callable[[Scope], object],
        meter: AiMeter | None = None,
    ) -> None:
        self._app = app
        self._billable = billable
        self._meter = meter or AiMeter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        payer = await self._payer(scope) if scope["type"] == "http" else None
        if payer is None:
            await self._app(scope, receive, send)
            return
        meter = self._meter.billable(payer)
        check = await asyncio.to_thread(meter.check)
        if not check.allowed:
            await _refuse(send, check, self._now())
            return

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start":
                try:
                    now = await asyncio.to_thread(meter.check)
                except (AimeterError, SQLAlchemyError) as error:  # the answer must not be lost
                    _log.warning("the limits could not be read: %s", type(error).__name__)
                else:
                    message["headers"] = [*message.get("headers", ()), *_headers(now)]
            await send(message)

        await self._app(scope, receive, telling)

    async def _payer(self, scope: Scope) -> object:
        found = self._billable(scope)
        return await found if inspect.isawaitable(found) else found

    def _now(self) -> datetime:
        return self._meter.now()


async def _refuse(send: Send, check: LimitCheck, now: datetime) -> None:
    error = "insufficient_credits" if check.billing_mode == "credits" else "limit_exceeded"
    body = {"error": error, **check.as_json()}
    headers: Headers = [(b"content-type", b"application/json"), *_headers(check)]
    if check.period_end is not None:
        seconds = max(1, round((check.period_end - now).total_seconds()))
        headers.append((b"retry-after", str(seconds).encode()))
    content = json.dumps(body).encode()
    headers.append((b"content-length", str(len(content)).encode()))
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def _headers(check: LimitCheck) -> Headers:
    told = {
        "x-remaining-tokens": check.remaining_tokens,
        "x-remaining-cost": check.remaining_cost,
        "x-usage-percentage": check.usage_percentage,
    }
    return [
        (name.encode(), f"{n:f}".encode() if isinstance(n, Decimal) else str(n).encode())
        for name, n in told.items()
        if n is not None
    ]
