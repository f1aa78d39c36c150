"""The composition root: settings, database, clock and driver, each built on first use."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from aimeter_cli.settings.load import Loaded, load_settings
from aimeter_cli.settings.table import Settings

if TYPE_CHECKING:
    from aimeter_cli.billing.base import BillingDriver
    from aimeter_cli.db.engine import Database
    from aimeter_cli.domain.pricing import ModelPrice


class App:
    """What a command needs. ``as_of`` pretends that this is now, for business time only."""

    def __init__(
        self,
        *,
        config: Path | None = None,
        overrides: Mapping[str, str] | None = None,
        as_of: datetime | None = None,
    ) -> None:
        self._config = config
        self._overrides = overrides
        self.as_of = as_of

    @cached_property
    def loaded(self) -> Loaded:
        """Settings with their sources. Raises ConfigurationError."""
        return load_settings(config=self._config, overrides=self._overrides)

    @property
    def settings(self) -> Settings:
        return self.loaded.settings

    def now(self) -> datetime:
        """Business time, aware UTC: periods, rates, grace. Leases use the database's clock."""
        return self.as_of or datetime.now(UTC)

    @cached_property
    def database(self) -> Database:
        """The migrated database. Raises DatabaseError (exit 5) if it is not and cannot be."""
        from aimeter_cli.migrations.upgrade import ensure_current

        database = self.unchecked_database
        ensure_current(database)
        return database

    @cached_property
    def unchecked_database(self) -> Database:
        """The database as it is, for ``db`` commands and ``doctor``."""
        from aimeter_cli.db.engine import Database

        database = Database(self.settings.database_url)
        if self.as_of is not None and self.settings.stripe_api_key[3:].startswith("live_"):
            database.read_only_reason = "--as-of writes nothing while a live Stripe key is set"
        return database

    @cached_property
    def prices(self) -> dict[tuple[str, str], ModelPrice]:
        """The price book of the configuration."""
        from aimeter_cli.domain.pricing import price_book

        return price_book(self.settings.prices, self.settings.currency)

    @cached_property
    def driver(self) -> BillingDriver:
        """The configured billing driver. Raises ConfigurationError."""
        from aimeter_cli.billing.registry import make_driver

        return make_driver(self.settings)

    def close(self) -> None:
        """Close what has been opened."""
        for name in ("driver", "unchecked_database"):
            opened = self.__dict__.get(name)
            if opened is not None:
                opened.close() if name == "driver" else opened.dispose()
