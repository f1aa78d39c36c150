"""``AiMeter``: says who pays for which call, then makes it."""

from __future__ import annotations

import asyncio
import inspect
import threading
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar, overload

from aimeter_cli.domain.allowance import LimitCheck
from aimeter_cli.domain.money import parse_amount
from aimeter_cli.domain.subscription import BILLING_MODES, BillingMode
from aimeter_cli.domain.usage import check_not_future
from aimeter_cli.errors import InvalidInput
from aimeter_cli.metering.calls import Begun, Calls, Said
from aimeter_cli.metering.references import reference_of
from aimeter_cli.metering.result import MeteredResponse, MeteredUsage
from aimeter_cli.metering.runtime import Runtime, default_runtime
from aimeter_cli.metering.streams import (
    is_async_stream,
    is_manager,
    is_stream,
    metered_manager,
    metered_stream,
)
from aimeter_cli.providers.base import Provider
from aimeter_cli.providers.registry import get_provider

T = TypeVar("T")
_BATCH = 500


class AiMeter:
    """An immutable builder: each method returns a new one, so that one is safe to share.

    ``runtime``: as :func:`aimeter_cli.configure` returns it; the process' own if not given.
    """

    __slots__ = ("_runtime", "_said")

    def __init__(self, runtime: Runtime | None = None) -> None:
        self._runtime = runtime
        self._said = Said()

    def for_user(self, user: object) -> AiMeter:
        """Who makes the call, and pays unless :meth:`billable` says who does."""
        return self._with(user=self._reference(user))

    def billable(self, billable: object) -> AiMeter:
        """Who pays: ``"team:7"``, ``("team", 7)``, or an object with ``billable_type`` and
        ``billable_id``, or one that ``billable_resolver`` knows."""
        return self._with(billable=self._reference(billable))

    def for_tenant(self, tenant: object) -> AiMeter:
        """To which tenant the usage belongs; else ``tenant_resolver`` is asked."""
        return self._with(tenant=str(tenant))

    def billing_mode(self, mode: BillingMode) -> AiMeter:
        """``plan`` or ``credits``, instead of the subscription's own."""
        if mode not in BILLING_MODES:
            raise InvalidInput(f"billing_mode: expected {' or '.join(BILLING_MODES)}, got {mode!r}")
        return self._with(billing_mode=mode)

    def using_provider(self, provider: str, model: str | None = None) -> AiMeter:
        """Such as ``openai``; the model is the response's, if not given."""
        return self._with(provider=provider, model=model)

    def feature(self, feature: str) -> AiMeter:
        """Which feature of the product calls."""
        return self._with(feature=feature)

    def with_meta(self, **meta: Any) -> AiMeter:
        """Added to what was said before; kept with the usage as JSON."""
        return self._with(meta={**self._said.meta, **meta})

    def with_idempotency_key(self, key: str) -> AiMeter:
        """A repeat of the key records nothing, charges nothing and emits nothing.

        It is a call to the provider all the same: let no client of yours choose it.
        """
        if not key:
            raise InvalidInput("with_idempotency_key: expected a key, got ''")
        return self._with(key=key)

    def with_manual_usage(
        self,
        *,
        input_tokens: int = 0,
        cached_input_tokens: int = 0,
        cache_write_tokens: int = 0,
        output_tokens: int = 0,
        reasoning_tokens: int = 0,
        cost: Decimal | str | None = None,
        currency: str | None = None,
    ) -> AiMeter:
        """The usage, where no response tells it. Classes are disjoint; ``cost`` in major units."""
        manual = {
            "input_tokens": input_tokens, "cached_input_tokens": cached_input_tokens,
            "cache_write_tokens": cache_write_tokens, "output_tokens": output_tokens,
            "reasoning_tokens": reasoning_tokens, "cost": cost, "currency": currency,
        }  # fmt: skip
        return self._with(manual=manual)

    def estimate(self, *, tokens: int = 0, cost: Decimal | str | None = None) -> AiMeter:
        """What the call will need at the most: checked before it, and, in credits mode, the cost
        (in the wallet's currency) is held while it runs."""
        if tokens < 0:
            raise InvalidInput(f"estimate: expected tokens of 0 or more, got {tokens}")
        amount = None if cost is None else parse_amount(cost, "estimate")
        return self._with(estimated_tokens=tokens, estimated_cost=amount)

    def check(self) -> LimitCheck:
        """What is left, and whether the (estimated) call is allowed. Raises nothing for a no."""
        return self._calls().check(self._said)

    def now(self) -> datetime:
        """Business time, aware UTC."""
        return self._ready().now()

    def call(self, function: Callable[[], T]) -> MeteredResponse[T]:
        """Check, call, record. A stream is metered when it ends.

        Raises LimitExceeded or InsufficientCredits before the call; whatever the provider raises,
        unchanged; UsageNotRecorded, with the response, if the database fails after it.
        """
        calls, provider = self._calls(), self._provider()
        begun = calls.begin(self._said)
        try:
            response = function()
            _refuse_coroutine(response)
        except BaseException as error:
            calls.fail(begun, error)
            raise
        return _metered(calls, begun, provider, response)

    @overload
    async def acall(self, function: Callable[[], Awaitable[T]]) -> MeteredResponse[T]: ...
    @overload
    async def acall(self, function: Callable[[], T]) -> MeteredResponse[T]: ...
    async def acall(self, function: Callable[[], Any]) -> MeteredResponse[Any]:
        """The same for a coroutine function. The database is used in a thread."""
        calls, provider = self._calls(), self._provider()
        begun = await _begun(calls, self._said)
        try:
            answer = function()
            response: Any = await answer if inspect.isawaitable(answer) else answer
        except BaseException as error:
            await asyncio.shield(asyncio.to_thread(calls.fail, begun, error))
            raise
        if is_stream(response) or is_async_stream(response):
            return metered_stream(
                response, calls, begun, provider, is_async=is_async_stream(response)
            )
        return await asyncio.shield(asyncio.to_thread(_metered, calls, begun, provider, response))

    def record(self) -> MeteredUsage:
        """Record :meth:`with_manual_usage`, which is known already: nothing is checked or called.

        Raises Conflict for a key of another usage.
        """
        if self._said.manual is None:
            raise InvalidInput("record: there is no usage: expected .with_manual_usage(…)")
        return self.record_many([self._said.manual])[0]

    def record_many(self, usages: Iterable[Mapping[str, Any]]) -> list[MeteredUsage]:
        """Record usages given by the fields of a usage line; what one omits is the meter's.

        Batches of 500, each a transaction, all or nothing. Raises InvalidInput, naming the
        position, before anything is recorded; Conflict for a key of another usage, after the
        batches before it: give each usage a key of its own, so that a repeat is safe.
        """
        calls, runtime = self._calls(), self._ready()
        tenant = self._said.tenant if self._said.tenant is not None else runtime.tenant()
        usual = self._usual()
        lines = []
        for position, given in enumerate(usages):
            if position and self._said.key is not None and "idempotency_key" not in given:
                raise InvalidInput(
                    f"usage {position}: the meter's idempotency key is for one usage"
                )
            fields = {**usual, "idempotency_key": self._said.key or uuid.uuid4().hex, **given}
            try:
                line = calls.line(self._said, tenant, fields, now=runtime.now(), is_told=True)
                check_not_future(line.occurred_at, runtime.now())
            except InvalidInput as error:
                raise InvalidInput(f"usage {position}: {error.message}") from None
            lines.append(line)
        return [usage for some in _batches(lines) for usage in calls.record(some)]

    def _usual(self) -> dict[str, Any]:
        said = self._said
        payer = said.billable or said.user
        usual = {
            "billable": str(payer) if payer is not None else None, "provider": said.provider,
            "model": said.model, "feature": said.feature, "meta": dict(said.meta) or None,
        }  # fmt: skip
        return {name: value for name, value in usual.items() if value is not None}

    def _with(self, **said: Any) -> AiMeter:
        made = AiMeter(self._runtime)
        made._said = replace(self._said, **said)
        return made

    def _reference(self, value: object) -> Any:
        return reference_of(value, self._resolved)

    def _resolved(self, unknown: object) -> object:
        resolve = self._ready().billable_resolver
        return None if resolve is None else resolve(unknown)

    def _ready(self) -> Runtime:
        return self._runtime if self._runtime is not None else default_runtime()

    def _calls(self) -> Calls:
        return Calls(self._ready())

    def _provider(self) -> Provider:
        if self._said.provider is None:
            raise InvalidInput("no provider is named: expected .using_provider('openai', MODEL)")
        return get_provider(self._said.provider)


def _metered(calls: Calls, begun: Begun, provider: Provider, response: Any) -> MeteredResponse[Any]:
    if is_stream(response) or is_async_stream(response):
        return metered_stream(response, calls, begun, provider, is_async=not is_stream(response))
    if is_manager(response) and provider.usage(response) is None:
        return metered_manager(response, calls, begun, provider)
    usage, counter = calls.end(begun, lambda: provider.usage(response), response)
    return MeteredResponse(response, usage, calls.after(begun, counter))


def _refuse_coroutine(response: object) -> None:
    if inspect.isawaitable(response):
        if inspect.iscoroutine(response):
            response.close()
        raise InvalidInput("call: the function returned a coroutine: use acall")


async def _begun(calls: Calls, said: Said) -> Begun:
    """A task that is cancelled meanwhile leaves no hold behind."""
    beginning = asyncio.ensure_future(asyncio.to_thread(calls.begin, said))
    try:
        return await asyncio.shield(beginning)
    except asyncio.CancelledError:
        beginning.add_done_callback(lambda done: _give_back(calls, done))
        raise


def _give_back(calls: Calls, done: asyncio.Future[Begun]) -> None:
    if not done.cancelled() and done.exception() is None:
        threading.Thread(target=calls.give_back, args=(done.result(),)).start()


def _batches(lines: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(lines), _BATCH):
        yield lines[start : start + _BATCH]
