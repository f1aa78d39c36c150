"""The checks, in the order in which things depend on each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from stat import S_IMODE

from aimeter_cli.app import App
from aimeter_cli.doctor.alerts import alerts
from aimeter_cli.doctor.backlog import overages, unpaid, usages
from aimeter_cli.doctor.check import Check
from aimeter_cli.doctor.database import database, migration
from aimeter_cli.doctor.deliveries import deliveries
from aimeter_cli.doctor.events import event_sinks
from aimeter_cli.doctor.lost import lost
from aimeter_cli.doctor.permissions import permissions
from aimeter_cli.doctor.stranded import stranded
from aimeter_cli.doctor.stripe import account, driver, key
from aimeter_cli.doctor.sync import last_sync, paused, strategy
from aimeter_cli.doctor.webhooks import inbox, last_event, signatures, stripe_ids
from aimeter_cli.errors import AimeterError

Examination = Callable[[App], Iterator[Check]]


def configuration(app: App) -> Iterator[Check]:
    """Whether every source of settings can be read."""
    file = app.loaded.file
    if file is None:
        yield Check(
            "configuration", "warning", "no aimeter.toml; defaults and environment only",
            "aimeter init writes one.",
        )  # fmt: skip
    else:
        yield Check("configuration", "ok", str(file))
    yield from _secrets(Path.cwd() / ".env")
    count, library = len(app.prices.configured), app.prices.library
    others = f"the others by {library.source}" if library else "no others: price_library is off"
    yield Check("prices", "ok", f"{count} model(s) priced by the configuration, {others}")


def _secrets(file: Path) -> Iterator[Check]:
    """A warning, if others on this host can read what is secret."""
    if file.is_file() and (mode := S_IMODE(file.stat().st_mode)) & 0o077:
        told = f"others can read {file} (mode {mode:04o})"
        yield Check("secrets", "warning", told, f"chmod 600 {file}")


EXAMINATIONS: tuple[tuple[str, Examination, bool], ...] = (
    ("configuration", configuration, True),
    ("database", database, True),
    ("migration", migration, True),
    ("driver", driver, False),
    ("stripe key", key, False),
    ("stripe account", account, False),
    ("permissions", permissions, False),
    ("sync", paused, False),
    ("strategy", strategy, False),
    ("last sync", last_sync, False),
    ("overages", overages, False),
    ("stranded", stranded, False),
    ("lost invoices", lost, False),
    ("usages", usages, False),
    ("unpaid usages", unpaid, False),
    ("stripe ids", stripe_ids, False),
    ("last event", last_event, False),
    ("signatures", signatures, False),
    ("inbox", inbox, False),
    ("endpoint", deliveries, False),
    ("events", event_sinks, False),
    ("alerts", alerts, False),
)
"""(name, examination, whether the later ones need it)."""


def examine(app: App) -> Iterator[Check]:
    """Every check; what one raises is its finding. Ends where nothing more can be seen."""
    for name, examination, is_needed in EXAMINATIONS:
        try:
            yield from examination(app)
        except AimeterError as error:
            yield Check(name, "failed", error.message, error.hint)
            if is_needed:
                yield Check("the rest", "skipped", f"cannot be seen before {name} is mended")
                return
