"""A short run on each database, and the control."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.sandbox.client import SandboxControl
from tests.chaos import oracle
from tests.chaos.crew import Crew
from tests.chaos.scenario import Person, calm_settings, usages
from tests.chaos.story import AIMETER, CONTROL, play
from tests.support.world import World

SECONDS = 6


@pytest.fixture
def world(any_database: Database, sandbox: SandboxControl) -> Iterator[World]:
    made = World(any_database, sandbox, calm_settings(sandbox.url))
    yield made
    made.close()


@pytest.fixture
def sqlite_world(database: Database, sandbox: SandboxControl) -> Iterator[World]:
    made = World(database, sandbox, calm_settings(sandbox.url))
    yield made
    made.close()


def test_whatever_dies_and_fails_every_overage_is_charged_exactly_once(
    world: World, tmp_path: Path
) -> None:
    played = play(world, AIMETER, tmp_path, seed=1, keys="short", seconds=SECONDS)
    assert (played.verdict, played.crashes) == (oracle.Verdict(), [])
    assert played.kills > 2
    assert played.requests > 10
    assert played.faulted > 0.2


def test_a_loop_that_posts_and_then_marks_is_found_out(sqlite_world: World, tmp_path: Path) -> None:
    played = play(sqlite_world, CONTROL, tmp_path, seed=1, keys="normal", seconds=SECONDS)
    assert played.verdict.doubled > 0
    assert not played.is_clean


def test_a_process_that_ends_by_a_fault_is_told_and_begun_anew(
    sqlite_world: World, tmp_path: Path
) -> None:
    crew = Crew(sqlite_world, [_fail], tmp_path, Random(1), stops=False)
    crew.begin()
    end = time.monotonic() + 30
    while not crew.crashes and time.monotonic() < end:
        crew.mind()
    crew.end()
    assert len(crew.crashes) == 1
    assert "ZeroDivisionError" in crew.crashes[0]


def test_usages_come_from_the_seed_alone() -> None:
    persons = [Person(n, f"user:{n}", f"cus_{n}", "usd", is_poison=n == 3) for n in range(20)]

    def some(seed: int) -> list[object]:
        found = usages(Random(seed), persons)
        return [next(found) for _ in range(50)]

    assert some(1) == some(1)
    assert some(1) != some(2)


def _fail(*_given: str) -> None:
    raise ZeroDivisionError("on purpose")
