"""Reprices in a process of its own: ``python -m tests.support.reprice_process URL``."""

from __future__ import annotations

import sys

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.pricing import price_book
from aimeter_cli.services.repricing.run import reprice_usages
from aimeter_cli.settings.table import Settings
from tests.support.world import NOW

PRICES = {"openai": {"gpt-4o-mini": {"input_per_1m": "1000"}}}
"""A tenth of a cent a token."""


def main() -> None:
    database = Database(sys.argv[1])
    done = reprice_usages(database, Settings(), price_book(PRICES, "usd"), now=NOW)
    print(done.priced)
    database.dispose()


if __name__ == "__main__":
    main()
