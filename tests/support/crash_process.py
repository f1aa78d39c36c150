"""Runs of the sync that are killed, by SIGKILL, at a named place between two writes.

A place is ``SEAM:MOMENT`` or ``SEAM#N:MOMENT``: around the Nth call (from 1) of a function of the
sync, ``before`` it, ``after`` it (its transaction is committed, its caller does not know yet), or
``within``: when everything is written and nothing is committed.

``python -m tests.support.crash_process`` reads runs, one JSON object a line, and answers each with
the exit status of its process: -9, or 1 for a run that never came to the place. The processes are
forked, since importing everything again takes longer than most tests.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib import import_module
from pathlib import Path
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


def main() -> None:
    for module in ("stripe", "psycopg"):  # loaded here, not in every process anew
        import_module(module)
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            os._exit(_run(**json.loads(line)))
        _, status = os.waitpid(process, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(database: str, sandbox: str, key: str, now: str, place: str) -> int:
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
    print(f"never came to {place}: {report}", file=sys.stderr, flush=True)
    return 1


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


class Crashes:
    """The process that starts the processes that die."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.crash_process"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            cwd=Path(__file__).parents[2],
        )  # fmt: skip

    def at(self, place: str, world: World) -> int:
        """Sync this world until that place; returns the exit status of the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {
            "database": world.database.url.render_as_string(hide_password=False),
            "sandbox": world.sandbox.url, "key": world.settings.stripe_api_key,
            "now": world.now.isoformat(), "place": place,
        }  # fmt: skip
        print(json.dumps(order), file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate(timeout=30)


if __name__ == "__main__":
    main()
