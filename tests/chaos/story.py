"""One run of the chaos: everything at once for a while, then quiet, one clean run, the verdict."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.chaos import actors, books, control, worker
from tests.chaos.crew import Crew, Work
from tests.chaos.oracle import Books, Facts, Row, Verdict, judge
from tests.chaos.scenario import (
    CALM_LEASE,
    CUSTOMERS,
    DAY_OFF,
    KEYS,
    LATE,
    LATE_BESIDE_STOPS,
    Person,
    let_gateway_fail,
    order_faults,
    people,
    tune,
)
from tests.support.world import World

PROCESSES = 4
_OVER = 2 * CALM_LEASE + 1
"""Seconds after which the last lease has run out, and then the quiet time of a look-up."""

_OUTAGE_MOST = 5.0
_PATIENCE = 4.0
_SLOW = 0.5
_FEW = 120
_LONGEST = 3
"""The storm lasts up to so many times as long, until there have been a few requests."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is put to the test: what its processes do, its clean run, its books."""

    processes: tuple[Work, ...]
    run: Callable[[World], object]
    books: Callable[[World, list[Person]], Books]


AIMETER = Subject(
    (*[worker.sync] * PROCESSES, worker.command),
    lambda world: world.sync(limit=100_000),
    books.read,
)
CONTROL = Subject((control.loop,) * PROCESSES, control.run, control.read)


@dataclass(frozen=True, slots=True)
class Played:
    """What happened, and the verdict. ``requests`` until the faults ended; ``faulted``: the share
    of them that was struck."""

    overages: int
    kills: int
    stops: int
    requests: int
    faulted: float
    crashes: list[str]
    verdict: Verdict

    @property
    def is_clean(self) -> bool:
        return self.verdict.is_clean and not self.crashes


def play(
    world: World, subject: Subject, folder: Path, seed: int, keys: str, seconds: float
) -> Played:
    """Play a seed on an empty database and sandbox; ``keys`` is one of ``KEYS``.

    In every other seed, persons also delete and change items at Stripe; in some processes are
    stopped, in the others requests are held up for longer.
    """
    stops = Random(f"{seed}-stops").random() < 0.5
    late = LATE_BESIDE_STOPS if stops else LATE
    tune(world.sandbox, KEYS[keys], Random(f"{seed}-tune"))
    persons = people(world, Random(f"{seed}-people"), CUSTOMERS)
    before = len(world.sandbox.ledger())
    order_faults(world.sandbox, seed, late)
    acting = [actors.recorder, actors.finalizer]
    if subject is AIMETER:
        acting += [actors.waiver, *([actors.meddler] if seed % 2 else [])]
    crew = Crew(world, subject.processes, folder, Random(f"{seed}-crew"), stops=stops)
    storm = _Storm(world, crew, Random(f"{seed}-storm"), late)
    done = threading.Event()
    with ThreadPoolExecutor(len(acting)) as pool:
        playing = [
            pool.submit(actor, world, persons, Random(f"{seed}-{actor.__name__}"), done)
            for actor in acting
        ]
        try:
            storm.rage(KEYS[keys].days_off, seconds)
        finally:
            done.set()
            crew.end()
        for actor in playing:
            actor.result()
    requests = _calm_down(world)[before:]
    subject.run(world)
    poison = [person.customer for person in persons if person.is_poison]
    verdict = judge(subject.books(world, persons), Facts.of(world.sandbox, crew.cuts), poison)
    faulted = sum(1 for request in requests if request["fault"]) / max(1, len(requests))
    return Played(
        len(world.overages), crew.kills, crew.stops, len(requests), faulted, crew.crashes, verdict
    )


class _Storm:
    """What happens to the crew: something whenever it has sent a few requests, or none for long."""

    def __init__(self, world: World, crew: Crew, rnd: Random, late: float) -> None:
        self._world, self._crew, self._rnd, self._late = world, crew, rnd, late
        self._before = self._last = len(world.sandbox.ledger())

    def rage(self, days_off: int, seconds: float) -> None:
        """For so many seconds; on a busy machine longer, until something has come of it."""
        self._crew.begin()
        begun, passed = time.monotonic(), 0
        while (spent := time.monotonic() - begun) < seconds or (
            self._last - self._before < _FEW and spent < _LONGEST * seconds
        ):
            self._watch(self._rnd.randint(2, 16))
            self._crew.mind()
            draw = self._rnd.random()
            if passed < days_off and spent > (passed + 1) * seconds / (days_off + 1):
                passed += 1
                _pass_a_day(self._world, self._crew)
            elif draw < 0.1:
                _patiently(lambda: self._world.sandbox.outage(self._rnd.uniform(0.3, 2)))
            elif draw < 0.15:
                _patiently(lambda: let_gateway_fail(self._world.sandbox, self._late))
            elif draw < 0.9:
                self._crew.disturb()

    def _watch(self, requests: int) -> None:
        """Wait for so many more requests."""
        wanted, end = self._last + requests, time.monotonic() + _PATIENCE
        while self._last < wanted and time.monotonic() < end:
            time.sleep(0.05)
            with suppress(ConnectionError):  # an outage
                self._last += len(self._world.sandbox.ledger(self._last))


def _pass_a_day(world: World, crew: Crew) -> None:
    """Everything is down for longer than keys are used, and kept; Stripe comes back last."""
    crew.end()
    _arrive(world)
    world.time_passes(DAY_OFF)
    world.sandbox.move_clock(DAY_OFF)
    crew.ahead += DAY_OFF
    world.sandbox.outage(1)
    crew.begin()


def _calm_down(world: World) -> list[Row]:
    """No more faults; what was on its way has arrived; leases and quiet times are over.

    Returns the requests until then.
    """
    _patiently(world.sandbox.clear_faults)
    _arrive(world)
    world.time_passes(_OVER)
    return world.sandbox.ledger()


def _arrive(world: World) -> None:
    """Wait for what dead processes sent."""
    time.sleep(_SLOW)  # slow requests: the sandbox tells of those only that are held up
    _patiently(world.sandbox.wait_until_settled)


def _patiently(action: Callable[[], object]) -> None:
    """Do it once the sandbox's outage is over."""
    end = time.monotonic() + _OUTAGE_MOST
    while True:
        try:
            action()
        except ConnectionError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return
