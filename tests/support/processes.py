"""Processes that are at work at once, forked from a server that has imported what takes time."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable
from contextlib import chdir
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]


def context() -> ForkServerContext:
    """What makes such processes."""
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(["tests.support.imported"])
    with chdir(_ROOT):
        forkserver.ensure_running()
    return found


class Running:
    """A process that calls ``main(*args)``."""

    def __init__(self, main: Callable[..., object], args: Iterable[object]) -> None:
        processes = context()
        self._result, theirs = processes.Pipe(duplex=False)
        self._process = processes.Process(target=_call, args=(theirs, main, *args), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive()

    def exit_code(self, timeout: float = 120) -> int | None:
        """How it ended, -9 after a SIGKILL; None if it takes longer."""
        self._process.join(timeout)
        return self._process.exitcode

    def result(self, timeout: float = 120) -> Any:
        """What ``main`` returned; fails where it raised, or took longer."""
        try:
            assert self._result.poll(timeout), "the process takes too long"
            result = self._result.recv()
        except EOFError:
            result = None
        assert self.exit_code(timeout) == 0
        return result


def start(main: Callable[..., object], calls: Iterable[Iterable[object]]) -> list[Running]:
    """A process for each call, all of them at work at once."""
    return [Running(main, args) for args in calls]


def _call(result: Connection, main: Callable[..., object], *args: object) -> None:
    result.send(main(*args))
