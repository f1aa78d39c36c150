"""A usage on its way into the database, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from aimeter_cli.db.prepared import Row
from aimeter_cli.domain.pricing import ModelPrice
from aimeter_cli.domain.usage import UsageLine
from aimeter_cli.errors import Conflict, InvalidInput
from aimeter_cli.services.recording.accounts import Account
from aimeter_cli.services.recording.counting import LockedCounter


class Recorded(NamedTuple):
    """What became of a line. ``charge`` in nanos of the plan's currency, ``cost`` of its own.

    ``is_new`` False: its key was there already, nothing has changed. ``conflict``: it was there
    with other content. ``refusal``: why it cannot be recorded at all. ``counter``: after the whole
    batch, of a new line that is counted.
    """

    key: str
    is_new: bool
    state: str
    charge: int = 0
    overage_id: int | None = None
    conflict: bool = False
    beyond_limit: bool = False
    tokens_left: int | None = None
    refusal: str | None = None
    cost: int | None = None
    currency: str | None = None
    counter: LockedCounter | None = None

    def raise_if_refused(self) -> None:
        """Raises InvalidInput for a refusal, Conflict for a key used for another usage."""
        if self.refusal is not None:
            raise InvalidInput(self.refusal)
        if self.conflict:
            raise key_conflict(self.key)


def key_conflict(key: str) -> Conflict:
    return Conflict(
        f"idempotency key {key!r} was used for another usage",
        hint="Send the same usage again unchanged, or choose a new key.",
    )


@dataclass(slots=True)
class Entry:
    """A usage on its way into the database. Money in nanos."""

    key: str
    line: UsageLine
    account: Account | None
    cost: int | None
    currency: str
    state: str
    price: ModelPrice | None = None
    price_id: int | None = None
    billing_mode: str | None = None
    counter: LockedCounter | None = None
    plan_cost: int | None = None
    exchange: str | None = None
    missing_rate: str | None = None
    charge: int = 0
    excess_tokens: int = 0
    overage_id: int | None = None
    adjusts_id: int | None = None


def repeated(key: str, line: UsageLine, row: Row) -> Recorded:
    """Of a line whose key is stored, ``row``."""
    return Recorded(
        key,
        is_new=False,
        state=row["state"],
        charge=row["charge"],
        overage_id=row["overage_id"],
        conflict=row["fingerprint"] != line.fingerprint,
        cost=row["cost"],
        currency=row["currency"],
    )


def recorded(entry: Entry, standings: dict[int, tuple[bool, int | None]]) -> Recorded:
    """``standings``: of each counter, after the whole batch."""
    beyond, left = standings[entry.counter.id] if entry.counter else (False, None)
    return Recorded(
        entry.key, True, entry.state, entry.charge, entry.overage_id, False, beyond, left, None,
        entry.cost, entry.currency, entry.counter,
    )  # fmt: skip
