"""Streams are metered once, when they end, in whatever way they end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from aimeter_cli.metering import streams
from aimeter_cli.metering.meter import AiMeter
from tests.metering.conftest import chat
from tests.metering.test_meter import rows, usages
from tests.services.world_of_plans import events

USAGE = chat(100, 20)["usage"]
CHUNKS = [
    {"object": "chat.completion.chunk", "choices": [{"delta": {"content": "Hel"}}]},
    {"object": "chat.completion.chunk", "choices": [{"delta": {"content": "lo"}}]},
    {"object": "chat.completion.chunk", "choices": [], "usage": USAGE},
]


class Broken(RuntimeError):
    """What a provider raises in the middle."""


class Stream:
    """As the providers' packages have them: an iterator with attributes and ``close``."""

    request_id = "req_1"

    def __init__(self, chunks: list[dict[str, Any]], *, breaks: bool = False) -> None:
        self.chunks = iter(chunks)
        self.breaks = breaks
        self.is_closed = False

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self

    def __next__(self) -> dict[str, Any]:
        try:
            return next(self.chunks)
        except StopIteration:
            if self.breaks:
                raise Broken from None
            raise

    def close(self) -> None:
        self.is_closed = True


class AsyncStream:
    """The same, asynchronous."""

    def __init__(self, chunks: list[dict[str, Any]], *, breaks: bool = False) -> None:
        self.inner = Stream(chunks, breaks=breaks)

    def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        return self

    async def __anext__(self) -> dict[str, Any]:
        await asyncio.sleep(0)
        try:
            return next(self.inner)
        except StopIteration:
            raise StopAsyncIteration from None

    async def close(self) -> None:
        self.inner.close()


def tokens(meter: AiMeter) -> list[tuple[int, int]]:
    return [(a, b) for a, b in rows(meter, "SELECT input_tokens, output_tokens FROM ai_usages")]


def test_a_stream_is_metered_when_it_ends(lite: AiMeter) -> None:
    got = lite.call(lambda: Stream(CHUNKS))
    assert (got.usage, usages(lite)) == (None, 0)
    assert list(got.response) == CHUNKS
    assert got.usage is not None
    assert (got.usage.input_tokens, got.remaining_tokens) == (100, 880)
    assert list(got.response) == []
    assert tokens(lite) == [(100, 20)]


def test_the_streams_own_attributes_are_there(lite: AiMeter) -> None:
    got = lite.call(lambda: Stream(CHUNKS))
    assert got.response.request_id == "req_1"
    with pytest.raises(AttributeError):
        _ = got.response.no_such_thing  # type: ignore[attr-defined]


def test_a_stream_left_early_is_metered_by_close(lite: AiMeter) -> None:
    stream = Stream([CHUNKS[2], *CHUNKS])
    got = lite.call(lambda: stream)
    for _ in got.response:
        break
    assert usages(lite) == 0
    got.response.close()
    assert stream.is_closed
    assert tokens(lite) == [(100, 20)]


def test_a_stream_dropped_unfinished_is_metered(lite: AiMeter) -> None:
    def consume() -> None:
        for _ in lite.call(lambda: Stream([CHUNKS[2], *CHUNKS])).response:
            return

    consume()
    for thread in threading.enumerate():  # the collector may run amid a transaction
        if thread is not threading.current_thread():
            thread.join(10)
    assert tokens(lite) == [(100, 20)]


def test_a_stream_left_before_it_told_its_usage_is_unpriced_and_not_free(lite: AiMeter) -> None:
    got = lite.call(lambda: Stream(CHUNKS))
    next(got.response)
    got.response.close()
    assert tokens(lite) == [(0, 0)]
    assert rows(lite, "SELECT state, cost FROM ai_usages") == [("unpriced", None)]


class Helper:
    """As ``messages.stream`` of Anthropic's package: a manager; its stream keeps a snapshot."""

    def __init__(self) -> None:
        self.stream = Stream(CHUNKS[:2])

    def __enter__(self) -> Stream:
        return self.stream

    def __exit__(self, *_: object) -> None:
        self.stream.close()


def test_a_helper_of_a_package_is_metered_however_it_is_consumed(lite: AiMeter) -> None:
    helper = Helper()
    got = lite.call(lambda: helper)
    with got.response as stream:
        for _ in stream.chunks:  # past the wrapper, as a helper's text_stream does
            helper.stream.current_message_snapshot = chat(100, 20)  # type: ignore[attr-defined]
    assert tokens(lite) == [(100, 20)]
    assert got.usage is not None


class Both(Stream):
    """LiteLLM's: one class for either way."""

    async def __anext__(self) -> dict[str, Any]:
        raise AssertionError("the synchronous call asked asynchronously")


def test_a_stream_that_is_of_both_kinds_goes_by_the_call(lite: AiMeter) -> None:
    assert list(lite.call(lambda: Both(CHUNKS)).response) == CHUNKS
    assert tokens(lite) == [(100, 20)]


def test_a_stream_open_when_the_process_ends_is_metered(lite: AiMeter) -> None:
    got = lite.call(lambda: Stream([CHUNKS[2], *CHUNKS]))
    next(got.response)
    streams._end_all()
    assert tokens(lite) == [(100, 20)]


def test_a_stream_that_breaks_off_is_metered_as_far_as_it_told(lite: AiMeter) -> None:
    got = lite.call(lambda: Stream(CHUNKS, breaks=True))
    with pytest.raises(Broken):
        list(got.response)
    assert tokens(lite) == [(100, 20)]
    names = [name for name, _ in events(lite._ready().database)]
    assert names == ["ProviderCallFailed"]


def test_a_stream_that_breaks_off_without_a_word_records_nothing(lite: AiMeter) -> None:
    got = lite.call(lambda: Stream(CHUNKS[:1], breaks=True))
    with pytest.raises(Broken):
        list(got.response)
    assert usages(lite) == 0


def test_a_generator_is_a_stream(lite: AiMeter) -> None:
    got = lite.call(lambda: (chunk for chunk in CHUNKS))
    assert len(list(got.response)) == 3
    assert tokens(lite) == [(100, 20)]


async def _read(meter: AiMeter, stream: object, most: int = 99) -> Any:
    got = await meter.acall(lambda: stream)
    seen = []
    async for chunk in got.response:  # type: ignore[attr-defined]
        seen.append(chunk)
        if len(seen) == most:
            break
    await got.response.aclose()  # type: ignore[attr-defined]
    return got, seen


def test_an_async_stream_is_metered_when_it_ends(lite: AiMeter) -> None:
    got, seen = asyncio.run(_read(lite, AsyncStream(CHUNKS)))
    assert seen == CHUNKS
    assert got.usage.output_tokens == 20
    assert tokens(lite) == [(100, 20)]


def test_an_async_stream_left_early_is_metered_by_aclose(lite: AiMeter) -> None:
    stream = AsyncStream([CHUNKS[2], *CHUNKS])
    asyncio.run(_read(lite, stream, most=1))
    assert stream.inner.is_closed
    assert tokens(lite) == [(100, 20)]


def test_an_async_stream_that_breaks_off_raises_the_providers_error(lite: AiMeter) -> None:
    with pytest.raises(Broken):
        asyncio.run(_read(lite, AsyncStream(CHUNKS, breaks=True)))
    assert tokens(lite) == [(100, 20)]


def test_an_async_generator_is_a_stream(lite: AiMeter) -> None:
    async def produce() -> AsyncIterator[dict[str, Any]]:
        for chunk in CHUNKS:
            yield chunk

    _, seen = asyncio.run(_read(lite, produce()))
    assert len(seen) == 3
    assert tokens(lite) == [(100, 20)]


def test_a_cancelled_consumer_is_metered_as_far_as_it_was_told(lite: AiMeter) -> None:
    async def produce() -> AsyncIterator[dict[str, Any]]:
        yield CHUNKS[2]
        await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.ensure_future(_read(lite, produce()))
        await asyncio.sleep(0.3)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    assert tokens(lite) == [(100, 20)]
