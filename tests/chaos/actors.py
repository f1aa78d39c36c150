"""Those who go on using, finalising, waiving and meddling while everything fails.

Each is a thread that returns how often it did something; what it did not expect ends the story.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from random import Random

from aimeter_cli.domain.pricing import NO_PRICES
from aimeter_cli.domain.usage import UsageLine, usage_line
from aimeter_cli.errors import Conflict
from aimeter_cli.services.overages import by_hand
from aimeter_cli.services.recording.record import Recorder
from tests.chaos.scenario import Person, usages
from tests.support.world import NOW, World

Actor = Callable[[World, list[Person], Random, threading.Event], int]


def recorder(world: World, persons: list[Person], rnd: Random, done: threading.Event) -> int:
    """The application: records usages, a few at a time, and some of them twice."""
    recorder, count = Recorder(world.database, world.settings, NO_PRICES), 0
    lines = enumerate(usages(rnd, persons))
    while not done.wait(rnd.random() * 0.1):
        some = [_line(*next(lines)) for _ in range(rnd.randint(1, 12))]
        for _ in range(1 + (rnd.random() < 0.1)):
            recorder.record(some, now=NOW)
        count += len(some)
    return count


def _line(number: int, usage: tuple[int, Person, datetime]) -> UsageLine:
    tokens, person, when = usage
    given = {
        "billable": person.ref, "provider": "openai", "model": "gpt-4o-mini", "cost": "0",
        "input_tokens": tokens, "occurred_at": when.isoformat(),
        "idempotency_key": f"usage-{number}",
    }  # fmt: skip
    return usage_line(given, now=NOW)


def finalizer(world: World, persons: list[Person], rnd: Random, done: threading.Event) -> int:
    """Finalises customers' invoices in the dashboard."""
    count = 0
    payers = [person for person in persons if not person.is_poison]
    while not done.wait(rnd.random() * 0.3):
        count += _at_the_dashboard(
            lambda: world.sandbox.person_finalize(rnd.choice(payers).customer)
        )
    return count


def waiver(world: World, persons: list[Person], rnd: Random, done: threading.Event) -> int:
    """Gives overages up, where that is possible; not the poison ones, which it would free."""
    count = 0
    poison = {person.id for person in persons if person.is_poison}
    while not done.wait(0.2 + rnd.random() * 0.6):
        rows = [row for row in world.overages if row.billable_id not in poison]
        if not rows:
            continue
        try:
            by_hand.waive(world.database, [rnd.choice(rows).id], reason="goodwill", now=NOW)
        except Conflict:  # being sent, or on an invoice
            continue
        count += 1
    return count


def meddler(world: World, persons: list[Person], rnd: Random, done: threading.Event) -> int:
    """Deletes and changes invoice items in the dashboard."""
    count = 0
    while not done.wait(1 + rnd.random()):
        count += _at_the_dashboard(lambda: _meddle(world, rnd))
    return count


def _meddle(world: World, rnd: Random) -> None:
    items = [item for item in world.sandbox.items() if item["invoice"] is None]
    if not items:
        return
    item = rnd.choice(items)
    if rnd.random() < 0.5:
        world.sandbox.person_delete_item(item["id"])
    else:
        world.sandbox.person_change_item(item["id"], item["amount"] + 70)


def _at_the_dashboard(action: Callable[[], object]) -> bool:
    """Whether it worked: the dashboard is down in an outage, and refuses what is closed."""
    try:
        action()
    except (ConnectionError, ValueError):
        return False
    return True
