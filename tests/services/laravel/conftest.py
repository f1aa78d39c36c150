"""A shop to move from, on SQLite, and what tests ask of a database."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.laravel.shop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Empty tables, in ``shop.db`` of the test's folder."""
    return Shop(f"sqlite:///{tmp_path}/shop.db")
