"""The composition root: settings, database, clock and driver, each built on first use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aimeter_cli.errors import ConfigurationError
from aimeter_cli.settings.load import Loaded, load_settings
from aimeter_cli.settings.table import Settings

if TYPE_CHECKING:
    from aimeter_cli.billing.base import BillingDriver
    from aimeter_cli.db.engine import Database
    from aimeter_cli.domain.events import Emitted
    from aimeter_cli.services.prices.book import Prices


class App:
    """What a command needs. ``as_of`` pretends that this is now, for business time only.

    ``warn`` is told of listeners that failed, beside the log, and of a database that was made.
    """

    def __init__(
        self,
        *,
        config: Path | None = None,
        overrides: Mapping[str, Any] | None = None,
        as_of: datetime | None = None,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        self._config = config
        self._overrides = overrides
        self._warn = warn
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
        """The migrated database. Raises DatabaseError (exit 5) if it is not and cannot be.

        ConfigurationError for a listener that an application cannot import. A command says when
        it makes an SQLite file: the path may be mistyped.
        """
        from aimeter_cli.migrations.upgrade import ensure_current

        self._load_listeners()
        database = self.unchecked_database
        if ensure_current(database) and self._warn is not None:
            self._warn(f"there was no database yet: {database.safe_url} has been made")
        return database

    @cached_property
    def unchecked_database(self) -> Database:
        """The database as it is, for ``db`` commands and ``doctor``."""
        from aimeter_cli.db.engine import Database

        database = Database(self.settings.database_url)
        if self.as_of is not None and self.settings.stripe_api_key[3:].startswith("live_"):
            database.read_only_reason = "--as-of writes nothing while a live Stripe key is set"
        database.after_commit = self._tell
        return database

    def _load_listeners(self) -> None:
        """An application must not run without its own; a command goes on, and says so."""
        if not self.settings.event_listeners:
            return
        from aimeter_cli.services.events.listeners import load_listeners

        try:
            load_listeners(self.settings.event_listeners)
        except ConfigurationError as error:
            if self._warn is None:
                raise
            self._warn(f"{error.message}: it hears nothing of what this command does")

    def _tell(self, emitted: Sequence[Emitted]) -> None:
        from aimeter_cli.services.events.listeners import tell

        tell(self.unchecked_database, emitted, self._warn)

    @cached_property
    def prices(self) -> Prices:
        """The prices of the configuration, over those of the library."""
        from aimeter_cli.services.prices.book import make_prices

        return make_prices(self.settings)

    @cached_property
    def driver(self) -> BillingDriver:
        """The configured billing driver. Raises ConfigurationError."""
        from aimeter_cli.billing.registry import make_driver

        return make_driver(self.settings)

    @cached_property
    def billable_resolver(self) -> Callable[..., Any] | None:
        """The application's, None without one. Raises ConfigurationError."""
        return self._function("billable_resolver")

    @cached_property
    def tenant_resolver(self) -> Callable[..., Any] | None:
        """The application's, None without one. Raises ConfigurationError."""
        return self._function("tenant_resolver")

    def _function(self, key: str) -> Callable[..., Any] | None:
        from aimeter_cli.settings.dotted import load_function

        path = getattr(self.settings, key)
        return load_function(path, key) if path else None

    def close(self) -> None:
        """Close what has been opened."""
        for name in ("driver", "unchecked_database"):
            opened = self.__dict__.get(name)
            if opened is not None:
                opened.close() if name == "driver" else opened.dispose()
