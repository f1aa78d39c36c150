"""A bank on SQLite, and one on each kind of database."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.settings.table import Settings
from tests.support.credits import Bank

RATES = {"eur_usd": Decimal("1.25")}


@pytest.fixture
def bank(database: Database) -> Bank:
    return Bank(database, replace(Settings(), currency_rates=RATES))


@pytest.fixture
def any_bank(any_database: Database) -> Bank:
    return Bank(any_database, replace(Settings(), currency_rates=RATES))
