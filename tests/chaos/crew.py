"""The processes that sync, and what is done to them: killed, stopped for a while, begun anew."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random

from tests.chaos.scenario import LEASE, STOP_MOST
from tests.support.processes import context
from tests.support.world import World

Work = Callable[[str, str, str, str], None]
"""What a process does, given the database's URL, the sandbox's, a folder of its own and a seed."""

_ENDED = (0, 3)
"""Exit codes of a command that was not killed: done, and some rows stay unknown."""


class Crew:
    """A process for each of ``works``; with ``stops`` they are stopped, too, and not only killed.

    ``cuts``: when one was killed or stopped, by a clock that is ``ahead`` seconds of the real one;
    ``crashes``: what those said that ended by a fault.
    """

    def __init__(
        self, world: World, works: Sequence[Work], folder: Path, rnd: Random, *, stops: bool
    ) -> None:
        self.kills = 0
        self.stops = 0
        self.ahead = 0.0
        self.cuts: list[float] = []
        self.crashes: list[str] = []
        self._addresses = (
            world.database.url.render_as_string(hide_password=False),
            world.sandbox.url,
        )
        self._works, self._folder, self._rnd, self._stops = works, folder, rnd, stops
        self._running: dict[int, BaseProcess] = {}
        self._stopped: dict[int, threading.Timer] = {}
        self._processes = context()

    def begin(self) -> None:
        for slot in range(len(self._works)):
            self._start(slot)

    def mind(self) -> None:
        """Begin anew what has ended by itself."""
        for slot, process in list(self._running.items()):
            if process.exitcode is not None:
                if process.exitcode not in _ENDED:
                    said = self._said(slot).read_text("utf-8", errors="replace")
                    self.crashes.append(f"exit {process.exitcode}: {said[-2000:]}")
                self._start(slot)

    def disturb(self) -> None:
        """Kill one and begin it anew, or stop one for longer than its lease."""
        slot = self._rnd.randrange(len(self._works))
        if not self._stops or self._rnd.random() < 0.6:
            self._kill(slot)
            self._start(slot)
        elif slot not in self._stopped:
            self._stop(slot, self._rnd.uniform(1.02 * LEASE, STOP_MOST))

    def end(self) -> None:
        """Kill all at once, as a power cut does."""
        for slot in list(self._running):
            self._kill(slot)

    def _start(self, slot: int) -> None:
        own = self._folder / f"process-{slot}"
        own.mkdir(exist_ok=True)
        self._said(slot).touch()
        given = (*self._addresses, str(own), str(self._rnd.random()))
        process = self._processes.Process(
            target=_work, args=(self._works[slot], given, self._said(slot)), daemon=True
        )
        process.start()
        self._running[slot] = process

    def _kill(self, slot: int) -> None:
        timer = self._stopped.pop(slot, None)
        if timer is not None:
            timer.cancel()
        process = self._running.pop(slot)
        process.kill()
        process.join()
        if process.exitcode == -signal.SIGKILL:
            self.kills += 1
            self._cut()

    def _stop(self, slot: int, seconds: float) -> None:
        process = self._running[slot]
        if process.pid is None or not process.is_alive():
            return
        os.kill(process.pid, signal.SIGSTOP)
        self.stops += 1
        self._cut()
        self._stopped[slot] = threading.Timer(seconds, self._resume, (slot, process.pid))
        self._stopped[slot].start()

    def _resume(self, slot: int, pid: int) -> None:
        os.kill(pid, signal.SIGCONT)
        self._stopped.pop(slot, None)

    def _cut(self) -> None:
        self.cuts.append(time.time() + self.ahead)

    def _said(self, slot: int) -> Path:
        return self._folder / f"process-{slot}.err"


def _work(work: Work, given: tuple[str, str, str, str], said: Path) -> None:
    """In the process: what it says on stderr goes to a file."""
    with said.open("wb") as file:
        os.dup2(file.fileno(), 2)
    work(*given)
