"""What can be set while the sandbox runs; kept in its file, so that a restart keeps it."""

import dataclasses
import sqlite3
import time
from dataclasses import dataclass
from typing import Any

from .store import Store, fact, set_fact

DAY = 86_400.0
LOCK_MODES = ("off", "stored", "unstored")


@dataclass(frozen=True, slots=True)
class Settings:
    """The switches.

    * ``rate_limit``: requests a second on one endpoint, None = no limit (Stripe: "Rate limits").
    * ``latency_ms``: milliseconds that every request takes.
    * ``key_retention``: seconds of the sandbox clock until an idempotency key is forgotten, None =
      never (Stripe promises at least 24 h).
    * ``lock_timeout``: ``off``, or answer 429 ``lock_timeout`` to a second concurrent write on one
      customer, ``stored`` under its idempotency key or ``unstored``.
    * ``replay_header``: send ``Idempotent-Replayed: true`` with replays; False strips the mark.
    """

    rate_limit: float | None = None
    latency_ms: float = 0
    key_retention: float | None = DAY
    lock_timeout: str = "off"
    replay_header: bool = True

    def changed(self, values: dict[str, Any]) -> "Settings":
        """A copy with these values; raises ValueError for an unknown name or a bad value."""
        types = {
            "rate_limit": (int, float, type(None)),
            "latency_ms": (int, float),
            "key_retention": (int, float, type(None)),
            "lock_timeout": (str,),
            "replay_header": (bool,),
        }
        for name, value in values.items():
            if name not in types:
                raise ValueError(f"unknown setting {name!r}; there are {', '.join(types)}")
            if not isinstance(value, types[name]) or (
                isinstance(value, bool) and bool not in types[name]
            ):
                raise ValueError(f"bad value for {name}: {value!r}")
            if isinstance(value, (int, float)) and value < 0:
                raise ValueError(f"{name} must not be negative: {value!r}")
        if values.get("rate_limit", 1) == 0:
            raise ValueError("rate_limit must be above 0; None switches it off")
        if values.get("lock_timeout", "off") not in LOCK_MODES:
            raise ValueError(f"lock_timeout must be one of {', '.join(LOCK_MODES)}")
        return dataclasses.replace(self, **values)


class Clock:
    """The sandbox clock: real time plus an offset, in epoch seconds."""

    def __init__(self, store: Store) -> None:
        with store.transaction() as db:
            self.offset = float(fact(db, "clock_offset") or 0)

    def now(self) -> float:
        """Seconds since the epoch, with fractions."""
        return time.time() + self.offset

    def move(self, db: sqlite3.Connection, seconds: float) -> None:
        """Move it, forwards or backwards, for good."""
        self.offset += seconds
        set_fact(db, "clock_offset", self.offset)


def read(store: Store) -> Settings:
    """The stored settings, or the defaults."""
    with store.transaction() as db:
        return Settings(**(fact(db, "settings") or {}))


def write(db: sqlite3.Connection, settings: Settings) -> None:
    """Store them."""
    set_fact(db, "settings", as_dict(settings))


def as_dict(settings: Settings) -> dict[str, Any]:
    """Names and values, as JSON takes them."""
    return dataclasses.asdict(settings)
