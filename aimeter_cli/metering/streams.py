"""Streams whose last chunks tell the usage: metered once, when they end in whatever way."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Generic, TypeVar

from aimeter_cli.errors import AimeterError, UsageNotRecorded
from aimeter_cli.metering.calls import Begun, Calls
from aimeter_cli.metering.result import MeteredResponse
from aimeter_cli.providers.base import StreamUsage

T = TypeVar("T")
_log = logging.getLogger("aimeter")


class _Ending:
    """Meters a stream, the first time that it ends: complete, left early, or broken off."""

    def __init__(self, calls: Calls, begun: Begun, seen: StreamUsage) -> None:
        self._calls = calls
        self._begun = begun
        self._seen = seen
        self._lock = threading.Lock()
        self._is_over = False
        # Weak: else only the garbage collector would end a stream that was left early.
        self.result: Callable[[], MeteredResponse[Any] | None] = lambda: None

    def see(self, chunk: object) -> None:
        self._seen.see(chunk)

    def end(self, error: BaseException | None = None) -> None:
        """``error``: what the provider broke off with; what it had told until then counts."""
        with self._lock:
            if self._is_over:
                return
            self._is_over = True
        if error is not None:
            self._calls.fail(self._begun, error)
            if not self._has_told():
                return
        try:
            usage, counter = self._calls.end(self._begun, self._seen.usage, None)
        except UsageNotRecorded as trouble:
            if error is None:
                raise
            _log.error("%s", trouble.message)  # the provider's own error is what is raised
            return
        result = self.result()
        if result is not None:
            result.usage = usage
            result.limit_check = self._calls.after(self._begun, counter)

    def _has_told(self) -> bool:
        try:
            return self._seen.usage() is not None
        except AimeterError:
            return True  # what it told cannot be read: that is not to be passed over

    def forget(self) -> None:
        """The stream is dropped unfinished: nobody is there to be told of an error."""
        try:
            self.end()
        except UsageNotRecorded as trouble:
            _log.error("%s", trouble.message)


class MeteredStream(Generic[T]):
    """A provider's stream, to be iterated as the original. Its other attributes are there, too.

    Leaving it early (``break``, ``close()``, the end of a ``with`` block) meters what had been told
    until then.
    """

    def __init__(self, stream: Iterator[T], ending: _Ending) -> None:
        self._stream = stream
        self._ending = ending

    def __iter__(self) -> MeteredStream[T]:
        return self

    def __next__(self) -> T:
        try:
            chunk = next(self._stream)
        except StopIteration:
            self._ending.end()
            raise
        except BaseException as error:
            self._ending.end(error)
            raise
        self._ending.see(chunk)
        return chunk

    def __enter__(self) -> MeteredStream[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the stream, and meter it."""
        try:
            close = getattr(self._stream, "close", None)
            if close is not None:
                close()
        finally:
            self._ending.end()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError):  # of an interpreter that is being torn down
            self._ending.forget()


class AsyncMeteredStream(Generic[T]):
    """The same for an asynchronous stream. The database is written in a thread."""

    def __init__(self, stream: AsyncIterator[T], ending: _Ending) -> None:
        self._stream = stream
        self._ending = ending

    def __aiter__(self) -> AsyncMeteredStream[T]:
        return self

    async def __anext__(self) -> T:
        try:
            chunk = await anext(self._stream)
        except StopAsyncIteration:
            await self._end()
            raise
        except BaseException as error:
            await self._end(error)
            raise
        self._ending.see(chunk)
        return chunk

    async def __aenter__(self) -> AsyncMeteredStream[T]:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the stream, and meter it."""
        try:
            close = getattr(self._stream, "aclose", None) or getattr(self._stream, "close", None)
            if close is not None:
                closing = close()
                if closing is not None:
                    await closing
        finally:
            await self._end()

    async def _end(self, error: BaseException | None = None) -> None:
        """A cancelled task still meters what it had."""
        await asyncio.shield(asyncio.to_thread(self._ending.end, error))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError):  # of an interpreter that is being torn down
            self._ending.forget()


def is_stream(response: object) -> bool:
    return hasattr(type(response), "__next__")


def is_async_stream(response: object) -> bool:
    return hasattr(type(response), "__anext__")


def metered_stream(
    response: Any, calls: Calls, begun: Begun, seen: StreamUsage
) -> MeteredResponse[Any]:
    """The response of a streaming call; its usage comes when the stream ends."""
    ending = _Ending(calls, begun, seen)
    wrapper: Any = AsyncMeteredStream if is_async_stream(response) else MeteredStream
    result: MeteredResponse[Any] = MeteredResponse(wrapper(response, ending), None, begun.check)
    ending.result = weakref.ref(result)
    return result
