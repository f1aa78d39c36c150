"""Drivers by name (entry point group ``aimeter.billing_drivers``) or by dotted path."""

from __future__ import annotations

from typing import cast

from aimeter_cli.billing.base import BillingDriver
from aimeter_cli.errors import ConfigurationError
from aimeter_cli.plugins import Plugins
from aimeter_cli.settings.table import Settings

_DRIVERS = Plugins(
    kind="billing driver",
    group="aimeter.billing_drivers",
    built_in={
        "null": "aimeter_cli.billing.null:NullDriver",
        "stripe": "aimeter_cli.billing.stripe:StripeDriver",
    },
    members=("account", "close", "ensure_ready", "find", "livemode", "name", "read", "send"),
)


def make_driver(settings: Settings) -> BillingDriver:
    """Build the configured driver. Raises ConfigurationError that names what was looked for."""
    name = settings.billing_driver
    factory = _DRIVERS.find(name)
    if factory is None:
        raise ConfigurationError(
            f"unknown billing driver {name!r}",
            hint=f"Known are {', '.join(_DRIVERS.names())}; or give a dotted path to a class.",
        )
    return cast(BillingDriver, factory(settings))
