"""What can be set while the sandbox runs; kept in its file, so that a restart keeps it."""

import dataclasses
import re
import sqlite3
import time
from dataclasses import dataclass
from typing import Any

from .exchange import API_VERSION
from .store import Store, fact, set_fact

DAY = 86_400.0
LOCK_MODES = ("off", "stored", "unstored")
CHOICES = {
    "lock_timeout": LOCK_MODES,
    "renewals": ("by_hand", "auto"),
    "after_retries": ("canceled", "unpaid", "past_due"),
    "deliveries": ("at_once", "by_hand"),
    "delivery_order": ("in_order", "shuffled"),
}

_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?")


@dataclass(frozen=True, slots=True)
class Settings:
    """The switches.

    * ``rate_limit``: requests a second on one endpoint, None = no limit (Stripe: "Rate limits").
    * ``latency_ms``: milliseconds that every request takes.
    * ``key_retention``: seconds of the sandbox clock until an idempotency key is forgotten, None =
      never (Stripe promises at least 24 h).
    * ``lock_timeout``: ``off``, or answer 429 ``lock_timeout`` to a second concurrent write on one
      customer, ``stored`` under its idempotency key or ``unstored``.
    * ``api_version``: the account's, which its events are made with; before 2025-03-31.basil they
      have the old shape.
    * ``renewals``: ``by_hand``, or ``auto``: time makes periods end, drafts finalise and payments
      be tried (see :mod:`.schedule`).
    * ``after_retries``: what a subscription becomes when the last payment attempt has failed:
      ``canceled``, ``unpaid`` or ``past_due``.
    * ``deliveries``: webhooks go out ``at_once``, or ``by_hand`` when a control request says so;
      ``delivery_order`` ``in_order`` or ``shuffled``; ``delivery_copies`` of each;
      ``delivery_delay`` seconds after the event.
    * ``replay_header``: send ``Idempotent-Replayed: true`` with replays; False strips the mark.
    """

    rate_limit: float | None = None
    latency_ms: float = 0
    key_retention: float | None = DAY
    lock_timeout: str = "off"
    replay_header: bool = True
    api_version: str = API_VERSION
    renewals: str = "by_hand"
    after_retries: str = "canceled"
    deliveries: str = "at_once"
    delivery_order: str = "in_order"
    delivery_copies: int = 1
    delivery_delay: float = 0

    def changed(self, values: dict[str, Any]) -> "Settings":
        """A copy with these values; raises ValueError for an unknown name or a bad value."""
        types = {
            "rate_limit": (int, float, type(None)),
            "latency_ms": (int, float),
            "key_retention": (int, float, type(None)),
            "replay_header": (bool,),
            "api_version": (str,),
            **dict.fromkeys(CHOICES, (str,)),
            "delivery_copies": (int,),
            "delivery_delay": (int, float),
        }
        for name, value in values.items():
            if name not in types:
                raise ValueError(f"unknown setting {name!r}; there are {', '.join(types)}")
            if not isinstance(value, types[name]) or (
                isinstance(value, bool) and bool not in types[name]
            ):
                raise ValueError(f"bad value for {name}: {value!r}")
            if name == "api_version" and not _VERSION.fullmatch(str(value)):
                raise ValueError(f"api_version must be YYYY-MM-DD or YYYY-MM-DD.name: {value!r}")
            if isinstance(value, (int, float)) and value < 0:
                raise ValueError(f"{name} must not be negative: {value!r}")
        if values.get("rate_limit", 1) == 0:
            raise ValueError("rate_limit must be above 0; None switches it off")
        for name, choices in CHOICES.items():
            if values.get(name, choices[0]) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}")
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
