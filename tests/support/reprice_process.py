"""What a process does that reprices."""

from __future__ import annotations

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.pricing import price_book
from aimeter_cli.services.repricing.run import reprice_usages
from aimeter_cli.settings.table import Settings
from tests.support.world import NOW

PRICES = {"openai": {"gpt-4o-mini": {"input_per_1m": "1000"}}}
"""A tenth of a cent a token."""


def main(database_url: str) -> int:
    """Returns how many usages it priced."""
    database = Database(database_url)
    done = reprice_usages(database, Settings(), price_book(PRICES, "usd"), now=NOW)
    database.dispose()
    return done.priced
