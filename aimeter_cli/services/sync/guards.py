"""Guards of a run: what a bug in the metering must not put on an invoice unseen.

``max_amount_per_customer`` limits what a billable is charged for one service period,
``max_amount_per_run`` what one run charges; both in the configuration's currency. What exceeds them
is held until an operator releases it; released overages do not count.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlmodel import Session

from aimeter_cli.domain.guards import fitting
from aimeter_cli.domain.money import to_nanos
from aimeter_cli.domain.rates import NoRate
from aimeter_cli.repositories.items import charged_unreleased
from aimeter_cli.repositories.sendable import ItemKey
from aimeter_cli.services.exchange import Exchange
from aimeter_cli.settings.table import Settings

PER_CUSTOMER = "over_max_amount_per_customer"
PER_RUN = "over_max_amount_per_run"
NO_RATE = "no_rate_for_max_amount"


class Candidate(NamedTuple):
    """An overage about to be charged: ``nanos`` in the customer's currency."""

    overage_id: int
    nanos: int
    is_released: bool


class Guards:
    """Shared by the threads of a run. Limits in nanos of ``currency``; None: no limit."""

    def __init__(
        self, currency: str = "usd", per_customer: int | None = None, per_run: int | None = None
    ) -> None:
        self._currency = currency
        self._per_customer = per_customer
        self._per_run = per_run
        self._spent: dict[int, int] = {}
        self._lock = threading.Lock()

    @classmethod
    def of(cls, settings: Settings) -> Guards:
        limits = (settings.max_amount_per_customer, settings.max_amount_per_run)
        customer, run = (to_nanos(limit) if limit else None for limit in limits)
        return cls(settings.currency, customer, run)

    def held(
        self,
        session: Session,
        exchange: Exchange,
        key: ItemKey,
        candidates: Sequence[Candidate],
        now: datetime,
    ) -> dict[int, str]:
        """Ids of those to hold, each with the reason; the others count towards the run's limit."""
        asked = [each for each in candidates if not each.is_released]
        if not asked or (self._per_customer is None and self._per_run is None):
            return {}
        try:
            conversion = exchange.conversion(key.currency, self._currency, now)
        except NoRate:
            return dict.fromkeys((each.overage_id for each in asked), NO_RATE)
        amounts = [(each.overage_id, conversion.apply(each.nanos)) for each in asked]
        reasons: dict[int, str] = {}
        if self._per_customer is not None:
            already = conversion.apply(charged_unreleased(session, key))
            fit = fitting(self._per_customer, already, amounts)
            reasons = {row: PER_CUSTOMER for row, _ in amounts if row not in fit}
        left = [(row, amount) for row, amount in amounts if row not in reasons]
        return reasons | dict.fromkeys(self._beyond_run(left), PER_RUN)

    def _beyond_run(self, amounts: Sequence[tuple[int, int]]) -> list[int]:
        if self._per_run is None:
            return []
        with self._lock:
            for row, _ in amounts:  # claimed before in this run: its item had closed
                self._spent.pop(row, None)
            fit = fitting(self._per_run, sum(self._spent.values()), amounts)
            self._spent |= {row: amount for row, amount in amounts if row in fit}
        return [row for row, _ in amounts if row not in fit]
