"""What an unpaid usage costs a wallet."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import RowMapping

from aimeter_cli.domain.rates import NoRate
from aimeter_cli.services.exchange import Exchange


class Bill(NamedTuple):
    """``cost`` in nanos of the wallet's currency, at the rate of the usage's ``occurred_at``.

    None: there is no rate, and ``via`` says which; else ``via`` tells the rate, if one was needed.
    """

    usage_id: int
    cost: int | None
    via: str | None


def bill_of(row: RowMapping, currency: str, exchange: Exchange) -> Bill:
    """``row``: of ``repositories.credits.unpaid_usages``."""
    try:
        conversion = exchange.conversion(row["currency"], currency, row["occurred_at"])
    except NoRate as missing:
        return Bill(row["id"], None, missing.message)
    via = None if row["currency"] == currency else conversion.via
    return Bill(row["id"], conversion.apply(row["cost"]), via)
