"""Streams whose last chunks tell the usage: metered once, when they end in whatever way."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Generic, TypeVar

from aimeter_cli.errors import UsageNotRecorded
from aimeter_cli.metering.calls import Begun, Calls
from aimeter_cli.metering.result import MeteredResponse
from aimeter_cli.providers.base import Metered, Provider

T = TypeVar("T")
_log = logging.getLogger("aimeter")


class _Ending:
    """Meters a stream, the first time that it ends: complete, left early, or broken off."""

    def __init__(self, calls: Calls, begun: Begun, provider: Provider) -> None:
        self._calls = calls
        self._begun = begun
        self._provider = provider
        self._seen = provider.stream()
        self.inner: Any = None
        _open.add(self)
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
        _open.discard(self)
        if error is not None:
            self._calls.fail(self._begun, error)
            if not self._has_told():
                return
        try:
            usage, counter = self._calls.end(self._begun, self._told, None)
        except UsageNotRecorded as trouble:
            if error is None:
                raise
            _tell(trouble)  # the provider's own error is what is raised
            return
        result = self.result()
        if result is not None:
            result.usage = usage
            result.limit_check = self._calls.after(self._begun, counter)

    def _has_told(self) -> bool:
        try:
            return self._told() is not None
        except Exception:  # noqa: BLE001 - what it told cannot be read: not to be passed over
            return True

    def _told(self) -> Metered | None:
        """By its chunks; else by what a helper of the provider's package has put together."""
        told = self._seen.usage()
        snapshot = next(filter(None, (_peek(self.inner, name) for name in _SNAPSHOTS)), None)
        return told if told is not None or snapshot is None else self._provider.usage(snapshot)

    def forget(self) -> None:
        """The stream is dropped unfinished: nobody is there to be told of an error."""
        try:
            self.end()
        except UsageNotRecorded as trouble:
            _tell(trouble)

    def abandon(self) -> None:
        """The same from the garbage collector, which may run amid another transaction."""
        if self._is_over:
            return
        try:
            threading.Thread(target=self.forget).start()
        except RuntimeError:  # the interpreter ends
            self.forget()


_open: weakref.WeakSet[_Ending] = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    """What is still open when the process ends is metered, too."""
    for ending in list(_open):
        ending.forget()


_SNAPSHOTS = ("current_message_snapshot", "current_completion_snapshot")


def _peek(stream: Any, name: str) -> Any:
    try:
        return getattr(stream, name, None)
    except Exception:  # noqa: BLE001 - such a property raises before the first chunk
        return None


def _tell(trouble: UsageNotRecorded) -> None:
    """With the figures, so that the usage can be recorded by hand; without what is private."""
    figures = {name: value for name, value in trouble.usage.items() if name != "meta"}
    _log.error("%s: %s", trouble.message, figures)


class MeteredStream(Generic[T]):
    """A provider's stream, to be iterated as the original. Its other attributes are there, too.

    Leaving it early (``break``, ``close()``, the end of a ``with`` block) meters what had been told
    until then.
    """

    def __init__(self, stream: Iterator[T], ending: _Ending) -> None:
        self._stream = ending.inner = stream
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
            self._ending.abandon()


class AsyncMeteredStream(Generic[T]):
    """The same for an asynchronous stream. The database is written in a thread."""

    def __init__(self, stream: AsyncIterator[T], ending: _Ending) -> None:
        self._stream = ending.inner = stream
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
            self._ending.abandon()


class MeteredManager:
    """A context manager whose stream is metered when the block ends, however it was consumed."""

    def __init__(self, manager: Any, ending: _Ending) -> None:
        self._manager = manager
        self._ending = ending

    def __enter__(self) -> MeteredStream[Any]:
        return MeteredStream(self._manager.__enter__(), self._ending)

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> Any:
        try:
            return self._manager.__exit__(kind, error, trace)
        finally:
            self._ending.end()

    async def __aenter__(self) -> AsyncMeteredStream[Any]:
        return AsyncMeteredStream(await self._manager.__aenter__(), self._ending)

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> Any:
        try:
            return await self._manager.__aexit__(kind, error, trace)
        finally:
            await asyncio.shield(asyncio.to_thread(self._ending.end))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._manager, name)

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError):  # of an interpreter that is being torn down
            self._ending.abandon()


def is_stream(response: object) -> bool:
    return hasattr(type(response), "__next__")


def is_async_stream(response: object) -> bool:
    return hasattr(type(response), "__anext__")


def is_manager(response: object) -> bool:
    return hasattr(type(response), "__enter__") or hasattr(type(response), "__aenter__")


def metered_stream(
    response: Any, calls: Calls, begun: Begun, provider: Provider, *, is_async: bool
) -> MeteredResponse[Any]:
    """The response of a streaming call; its usage comes when the stream ends."""
    wrapper: Any = AsyncMeteredStream if is_async else MeteredStream
    return _result(calls, begun, provider, lambda ending: wrapper(response, ending))


def metered_manager(
    response: Any, calls: Calls, begun: Begun, provider: Provider
) -> MeteredResponse[Any]:
    """The same for a helper such as Anthropic's ``messages.stream``: a context manager."""
    return _result(calls, begun, provider, lambda ending: MeteredManager(response, ending))


def _result(
    calls: Calls, begun: Begun, provider: Provider, wrapped: Callable[[_Ending], Any]
) -> MeteredResponse[Any]:
    ending = _Ending(calls, begun, provider)
    result: MeteredResponse[Any] = MeteredResponse(wrapped(ending), None, begun.check)
    ending.result = weakref.ref(result)
    return result
