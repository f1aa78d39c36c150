"""Runs of the sync that are killed, by SIGKILL, at a named place between two writes.

A place is ``SEAM:MOMENT`` or ``SEAM#N:MOMENT``: around the Nth call (from 1) of a function of the
sync, ``before`` it, ``after`` it (its transaction is committed, its caller does not know yet), or
``within``: when everything is written and nothing is committed.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlmodel import Session

from aimeter_cli.billing.registry import make_driver
from aimeter_cli.billing.stripe import StripeDriver
from aimeter_cli.db.engine import Database
from aimeter_cli.services.sync import engine, run, settle
from aimeter_cli.services.sync.finals import settle as finals_settle
from aimeter_cli.services.sync.finals import work
from aimeter_cli.services.sync.plan import Options
from aimeter_cli.services.sync.run import run_sync
from aimeter_cli.signals import StopFlag
from tests.support.processes import Running
from tests.support.world import World, sandbox_settings

SEAMS: dict[str, Any] = {
    "send": StripeDriver,
    "read": StripeDriver,
    "find": StripeDriver,
    "renew_waiting_rates": run,
    "claim_fresh": run,
    "claim_dirty": run,
    "claim_due": run,
    "raise_generation": engine,
    "settle_done": settle,
    "settle_wait": settle,
    "forget_draft": settle,
    "settle_failed": settle,
    "settle_held": settle,
    "settle_closed": settle,
    "settle_idle_item": settle,
    "release": settle,
    "apply_policy": run,
    "send_invoice": StripeDriver,
    "find_invoices": StripeDriver,
    "read_invoice": StripeDriver,
    "claim_new": work,
    "final.claim_due": work,
    "next_phase": finals_settle,
    "begin_again": finals_settle,
    "drop_items": finals_settle,
    "settle_stopped": finals_settle,
    "final.settle_wait": finals_settle,
}
"""Functions by the place where their callers find them. All but the driver's open exactly one
transaction."""


def _run(database: str, sandbox: str, key: str, now: str, place: str) -> None:
    """One run with one thread; returns only if it did not come to the place."""
    seam, _, moment = place.partition(":")
    name, _, nth = seam.partition("#")
    _kill_around(name, int(nth or 1), moment)
    settings = sandbox_settings(sandbox, stripe_concurrency=1, stripe_api_key=key)
    driver = make_driver(settings)
    report = run_sync(
        Database(database), settings, driver, Options(retry_now=True),
        now=datetime.fromisoformat(now), stop=StopFlag(),
    )  # fmt: skip
    raise AssertionError(f"it never came to {place}: {report}")


def _kill_around(name: str, nth: int, moment: str) -> None:
    place, name = SEAMS[name], name.rpartition(".")[2]
    real: Callable[..., Any] = getattr(place, name)
    calls = 0

    def around(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == nth and moment == "before":
            _die()
        if calls == nth and moment == "within":
            Database.write = _dies_before_commit  # type: ignore[method-assign]
        result = real(*args, **options)
        if calls == nth and moment == "after":
            _die()
        return result

    setattr(place, name, around)


_write = Database.write


@contextmanager
def _dies_before_commit(self: Database, *, dry_run: bool = False) -> Iterator[Session]:
    with _write(self, dry_run=dry_run) as session:
        yield session
        _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def crash_at(place: str, world: World) -> int | None:
    """Sync this world until that place; -9, or 1 for a run that never came to the place."""
    url = world.database.url.render_as_string(hide_password=False)
    key = world.settings.stripe_api_key
    args = (url, world.sandbox.url, key, world.now.isoformat(), place)
    return Running(_run, args).exit_code()
