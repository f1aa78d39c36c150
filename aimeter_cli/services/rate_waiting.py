"""What waits for a rate, once there is one: overages can be sent, usages are priced."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.pricing import PriceBook
from aimeter_cli.repositories import rates as repository
from aimeter_cli.repositories import reprice
from aimeter_cli.repositories.installation import installation
from aimeter_cli.repositories.sendable import rate_pairs
from aimeter_cli.services.repricing.run import RepriceFilter, reprice_usages
from aimeter_cli.services.sync.claim import renew_waiting_rates
from aimeter_cli.services.sync.claimed import Context
from aimeter_cli.settings.table import Settings
from aimeter_cli.signals import StopFlag

_NEEDS_RATE = "needs_rate"


class Priced(NamedTuple):
    """How many overages the next sync can send, and how many usages got a price."""

    overages: int
    usages: int


def price_waiting(
    database: Database,
    settings: Settings,
    prices: Callable[[], PriceBook],
    *,
    now: datetime,
    stop: StopFlag,
) -> Priced:
    """Whatever waits as ``needs_rate`` and has one now.

    A usage is priced at the rate of its time, an overage at that of ``now``, when it is sent.
    """
    with database.read() as session:
        here, pairs = installation(session), rate_pairs(session)
        usages = reprice.waiting_ids(session, None, None, None, _NEEDS_RATE)
    renewed = 0
    if pairs:
        context = Context.of(
            here, database, settings, run_id=uuid.uuid4().hex, now=now, dry_run=False
        )
        before = _without_rate(database)
        renew_waiting_rates(context, pairs)
        renewed = max(0, before - _without_rate(database))
    if not usages or stop.is_set():
        return Priced(renewed, 0)
    done = reprice_usages(
        database, settings, prices(), RepriceFilter(state=_NEEDS_RATE), now=now, stop=stop
    )
    return Priced(renewed, done.priced)


def _without_rate(database: Database) -> int:
    with database.read() as session:
        return repository.overages_without_rate(session)
