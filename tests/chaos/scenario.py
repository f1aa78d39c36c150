"""Who is billed, for what, and what goes wrong on the way to Stripe. All of it from the seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.settings.table import Settings
from tests.support.world import NOW, World, sandbox_settings

LEASE = 3
TIMEOUT = 1
COMMAND_LEASE = 6
CALM_LEASE = 60
"""Seconds; the command's is the shortest that the configuration takes."""

STOP_MOST = 1.1 * LEASE
"""Seconds that a process is stopped at the most; never for less than a lease."""

LATE, LATE_BESIDE_STOPS = 0.75 * LEASE, 0.5
"""Seconds that a request is held up on its way, less where processes are stopped as well.

A claim is sent within ``lease - timeout``; its absence is believed two leases after the claim at
the earliest. What arrives later than that nobody can tell from a new request, so a stop and a delay
together stay below ``lease + timeout``, and a delay alone below a lease.
"""

CUSTOMERS = 100
RATE = Decimal("0.85")
DAY_OFF = 25 * 3600.0
"""Seconds of an outage that outlasts Stripe's keys (24 hours) and our use of them (20)."""

_SINCE = datetime(2026, 8, 1, tzinfo=UTC)
_PLANS: tuple[dict[str, Any], ...] = (
    {"slug": "usd"},
    {"slug": "jpy", "currency": "jpy", "overage_price_per_1k_tokens": Decimal("1.7")},
    {"slug": "kwd", "currency": "kwd", "overage_price_per_1k_tokens": Decimal("0.013")},
    {"slug": "abroad"},  # in usd, for customers who pay in eur
)
_TOKENS = (3, 20, 40, 400, 700, 1500, 6000, 30_000)
_SHARE = 0.36  # gateways that fail do the rest
_FAULTS = (
    "reset", "refuse:for=0.2", "lost", "truncate", "hang:seconds=0.4", "hang:seconds=2",
    "500_before", "500_before:stored=no", "500_after", "lock_timeout", "lock_timeout:stored=no",
    "409", "429", "429:retry_after=0.2", "502", "502_late:delay={late}", "held:delay={late}",
    "held:delay={late},answer=timeout,seconds=2", "slow:delay=0.3,when=before", "slow:delay=0.3",
    # What Stripe executed it stores. Only an update may be executed again under its key.
    "500_after:stored=no,method=POST,path=/v1/invoiceitems/*",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Keys:
    """How long the sandbox keeps idempotency keys (seconds; None: for ever), and how often
    everything is down for longer than that, and than we use a key.

    They are not kept for less than 24 hours: Stripe promises those, and 20 of them are relied on.
    """

    retention: float | None
    days_off: int


KEYS = {
    "normal": Keys(86_400.0, 0),
    "short": Keys(86_400.0, 2),
    "never": Keys(None, 2),
}


@dataclass(frozen=True, slots=True)
class Person:
    """A billable that is charged in ``currency``: its plan's amounts × ``rate``.

    ``is_poison``: every create for it is refused.
    """

    id: int
    ref: str
    customer: str
    currency: str
    rate: Decimal = Decimal(1)
    is_poison: bool = False

    @property
    def account(self) -> tuple[str, str]:
        """(Stripe customer, currency)."""
        return self.customer, self.currency


def settings(url: str) -> Settings:
    """Of every process but the command; short, so that much happens in a minute."""
    return sandbox_settings(
        url, lease_seconds=LEASE, stripe_timeout_seconds=TIMEOUT, stripe_concurrency=3,
        currency_rates={"usd_eur": RATE},
    )  # fmt: skip


def calm_settings(url: str) -> Settings:
    """Of the clean run: so patient that a busy machine is no fault of Stripe's."""
    return replace(settings(url), lease_seconds=CALM_LEASE, stripe_timeout_seconds=CALM_LEASE // 2)


def people(world: World, rnd: Random, count: int = CUSTOMERS) -> list[Person]:
    """Subscribers of all plans, one in a hundred of them (at least one) poison."""
    plans = [world.plan(**values) for values in _PLANS]
    poison = set(rnd.sample(range(count), max(1, count // 100)))
    made: list[Person] = []
    for number in range(count):
        kind = number % len(_PLANS)
        abroad = _PLANS[kind]["slug"] == "abroad"
        currency = "eur" if abroad else str(_PLANS[kind].get("currency", "usd"))
        ref, is_poison = f"user:{number}", number in poison
        # A customer that Stripe does not know refuses whatever else befalls the request.
        customer = f"cus_unknown{number}" if is_poison else world.customer()
        billable = world.subscriber(
            ref, plan=plans[kind], customer=customer, currency="eur" if abroad else None,
            started_at=_SINCE, period_anchor=_SINCE,
        )  # fmt: skip
        rate = RATE if abroad else Decimal(1)
        made.append(Person(billable, ref, customer, currency, rate, is_poison))
    return made


def usages(rnd: Random, persons: list[Person]) -> Iterator[tuple[int, Person, datetime]]:
    """Without end: (tokens, whose, when). Few use most, the poison one among them; some come
    late for last month, and a few too late to be charged."""
    busy = [*rnd.sample(persons, len(persons) // 4), *(p for p in persons if p.is_poison)]
    while True:
        person = rnd.choice(busy if rnd.random() < 0.7 else persons)
        draw = rnd.random()
        back = timedelta(days=70) if draw < 0.02 else timedelta(days=30 if draw < 0.3 else 0)
        yield rnd.choice(_TOKENS), person, NOW - back - timedelta(days=rnd.random() * 10)


def order_faults(sandbox: SandboxControl, seed: int, late: float) -> None:
    """Many requests are struck, by each kind as often; some are held up for ``late`` seconds."""
    each = 1 - (1 - _SHARE) ** (1 / len(_FAULTS))
    for number, fault in enumerate(_FAULTS):
        sandbox.add_fault(fault.format(late=late), p=f"{each:.4f}", seed=seed * 100 + number)


def let_gateway_fail(sandbox: SandboxControl, late: float) -> None:
    """It holds a few requests up, and then answers for Stripe while they are under way."""
    sandbox.add_fault("held", method="POST", times=4, delay=late)
    sandbox.add_fault("502", method="POST", times=8)


def tune(sandbox: SandboxControl, keys: Keys, rnd: Random) -> None:
    """Stripe as it is in this run: its keys and its locks.

    It marks replays, as Stripe does: without the mark only the quiet time proves a key spent, which
    is more than one clean run.
    """
    lock_timeout = rnd.choice(("off", "stored", "unstored"))
    sandbox.set(key_retention=keys.retention, lock_timeout=lock_timeout)
