"""Prepaid credits: what a wallet covers, which grants a spending takes, what a top-up leaves.

Amounts are nanos of the wallet's currency. A wallet's balance is the sum of its ledger, and equals
the sum of what remains of its grants less its debt (what an overdraft let it spend).
Source: DESIGN.md, "Metering rules" and "Vocabulary".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from aimeter_cli.domain.money import MAX_NANOS, Money, from_nanos, to_nanos
from aimeter_cli.errors import AimeterError

KINDS = ("add", "deduct", "usage", "refund", "expiry", "correction")
GRANTING = ("add", "refund")
"""Kinds that bring credits; what is left of them is in their grant."""
SPENDING = ("deduct", "usage")


class Grant(NamedTuple):
    """Credits that came at once; ``remaining`` is not spent yet. ``transaction_id`` brought it.

    ``expires_at`` None: never.
    """

    id: int
    transaction_id: int
    remaining: int
    expires_at: datetime | None = None


class Lot(NamedTuple):
    """Credits with one expiry (None: never), spent or given back together."""

    amount: int
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """A wallet at a moment. ``balance`` is without what has expired by then.

    ``held``: set aside for calls that run. ``overdraft``: how far below zero it may go, None
    without limit. ``has_unpaid``: a usage is not paid, and every later one waits behind it.
    Without a wallet, all is 0 and nothing is covered; ``currency`` is that of the one to be made.
    """

    billable: str
    currency: str
    balance: int = 0
    held: int = 0
    overdraft: int | None = 0
    has_unpaid: bool = False
    has_wallet: bool = True

    @property
    def available(self) -> int | None:
        """What may be spent, the overdraft included; None: no limit."""
        return self.room if self.overdraft is not None or not self.has_wallet else None

    @property
    def room(self) -> int:
        """The same as a number: without limit it ends where the database's numbers do."""
        if not self.has_wallet:
            return 0
        return self.balance - self.held + (MAX_NANOS if self.overdraft is None else self.overdraft)

    @property
    def allows_a_call(self) -> bool:
        """Whether a call of unknown cost may begin: something is available, nothing is unpaid."""
        return self.room > 0 and not self.has_unpaid

    def covers(self, amount: int) -> bool:
        return amount <= self.room


class InsufficientCredits(AimeterError):
    """A wallet does not cover what is asked of it; nothing was changed.

    ``needed``, ``available`` (None: without limit), ``balance``, ``held`` are in major units of
    ``currency``; ``has_unpaid`` as in :class:`Standing`.
    """

    def __init__(self, standing: Standing, needed: int = 0) -> None:
        self._told = (standing, needed)
        self.billable, self.currency = standing.billable, standing.currency
        self.needed, self.balance = from_nanos(needed), from_nanos(standing.balance)
        self.held, self.has_unpaid = from_nanos(standing.held), standing.has_unpaid
        available = standing.available
        self.available = None if available is None else from_nanos(available)
        super().__init__(
            f"{self.billable} {_told(standing, needed)}",
            hint=f"aimeter credits add {self.billable} AMOUNT",
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._told


def _told(standing: Standing, needed: int) -> str:
    if standing.covers(needed) and standing.has_unpaid:
        return "has usages that are not paid yet"
    left = Money.of_nanos(standing.room, standing.currency)
    asked = f", {Money.of_nanos(needed, standing.currency)} are needed" if needed else ""
    held = (
        f" ({Money.of_nanos(standing.held, standing.currency)} are held)" if standing.held else ""
    )
    return f"has {left} of credits available{held}{asked}"


def overdraft_nanos(setting: bool | Decimal) -> int | None:
    """The setting ``credit_overdraft``: False is 0, True no limit (None), else an amount."""
    if isinstance(setting, bool):
        return None if setting else 0
    return to_nanos(setting)


def take(grants: Sequence[Grant], amount: int) -> tuple[dict[int, int], int]:
    """Spend ``amount`` of the grants in their order.

    Returns what then remains of those touched, by id, and the part that none of them covers.
    """
    after: dict[int, int] = {}
    for grant in grants:
        if not amount:
            break
        part = min(grant.remaining, amount)
        after[grant.id] = grant.remaining - part
        amount -= part
    return after, amount


def split(lots: Iterable[Lot], amounts: Sequence[int]) -> list[list[Lot]]:
    """Which of the lots each amount spent, one amount after the other."""
    left = deque(lots)
    spent: list[list[Lot]] = []
    for amount in amounts:
        mine: list[Lot] = []
        missing = amount
        while missing and left:
            lot = left.popleft()
            part = min(lot.amount, missing)
            mine.append(lot._replace(amount=part))
            missing -= part
            if part < lot.amount:
                left.appendleft(lot._replace(amount=lot.amount - part))
        spent.append(mine)
    return spent


def given_back(lots: Sequence[Lot], spent: int, undone: int, amount: int) -> list[Lot]:
    """Which credits ``amount`` of ``spent`` gives back, where ``undone`` came back before.

    What was spent last comes back first: it lasts longest. What is in no lot never expires. The
    result is in the order of spending.
    """
    rest = spent - sum(lot.amount for lot in lots)
    back: list[Lot] = []
    for lot in (Lot(rest, None), *reversed(lots)):
        passed = min(undone, lot.amount)
        part = min(lot.amount - passed, amount)
        undone, amount = undone - passed, amount - part
        if part:
            back.append(lot._replace(amount=part))
    return back[::-1]


def remaining_of_new(balance: int, amount: int) -> int:
    """What is left of ``amount`` when it comes to a wallet of ``balance``: a debt is paid first."""
    return amount - min(amount, max(0, -balance))


def covered(costs: Iterable[int | None], room: int) -> int:
    """How many of the costs, from the first on, ``room`` covers in full; None ends them, too."""
    count = 0
    for cost in costs:
        if cost is None or cost > room:
            break
        room -= cost
        count += 1
    return count
