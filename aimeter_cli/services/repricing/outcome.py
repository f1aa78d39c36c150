"""What became of usages that were to be priced."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from aimeter_cli.domain.money import from_nanos


class Repriced(NamedTuple):
    """What became of a usage. ``state``: of its adjustment (``priced``, ``unpaid``), or why there
    is none: ``unpriced``, ``needs_rate``, ``refused``. ``source``: by what it was priced, or why it
    was not. Nanos."""

    provider: str
    model: str
    state: str
    source: str | None = None
    cost: int = 0
    currency: str | None = None
    charge: int = 0
    charge_currency: str | None = None

    @property
    def is_priced(self) -> bool:
        return self.state in ("priced", "unpaid")


@dataclass(frozen=True, slots=True)
class RepricedGroup:
    """Usages of one model with the same outcome; ``cost`` and ``charge`` are what was added."""

    provider: str
    model: str
    state: str
    source: str | None
    usages: int
    cost: Decimal | None
    currency: str | None
    charge: Decimal | None
    charge_currency: str | None


@dataclass(frozen=True, slots=True)
class Repricing:
    """``selected = priced + waiting``."""

    dry_run: bool
    selected: int
    priced: int
    groups: Sequence[RepricedGroup]

    @property
    def waiting(self) -> int:
        return self.selected - self.priced


def grouped(done: Sequence[Repriced]) -> list[RepricedGroup]:
    """By model and outcome, those that were priced first."""
    sums: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0, 0])
    for each in done:
        key = (
            not each.is_priced, each.provider, each.model, each.state, each.source or "",
            each.currency or "", each.charge_currency or "",
        )  # fmt: skip
        for place, amount in enumerate((1, each.cost, each.charge)):
            sums[key][place] += amount
    return [
        RepricedGroup(
            provider, model, state, source or None, count,
            from_nanos(cost) if currency else None, currency or None,
            from_nanos(charge) if charge_currency else None, charge_currency or None,
        )
        for (_, provider, model, state, source, currency, charge_currency),
            (count, cost, charge) in sorted(sums.items())
    ]  # fmt: skip
