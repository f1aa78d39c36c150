"""Drivers by name (entry point group ``aimeter.billing_drivers``) or by dotted path."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import cast

from aimeter_cli.billing.base import BillingDriver
from aimeter_cli.errors import ConfigurationError
from aimeter_cli.settings.table import Settings

GROUP = "aimeter.billing_drivers"
_BUILT_IN = {
    "null": "aimeter_cli.billing.null:NullDriver",
    "stripe": "aimeter_cli.billing.stripe:StripeDriver",
}

_MEMBERS = ("account", "close", "ensure_ready", "find", "livemode", "name", "read", "send")


def make_driver(settings: Settings) -> BillingDriver:
    """Build the configured driver. Raises ConfigurationError that names what was looked for."""
    name = settings.billing_driver
    path = _BUILT_IN.get(name) or _from_entry_points(name) or name
    module, separator, attribute = path.partition(":")
    if not separator:
        module, _, attribute = path.rpartition(".")
    if not module:
        raise ConfigurationError(
            f"unknown billing driver {name!r}",
            hint=f"Known are {', '.join(_names())}; or give a dotted path to a class.",
        )
    try:
        factory = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"billing driver {name!r} cannot be loaded: {error}") from None
    if not isinstance(factory, type):
        raise ConfigurationError(f"billing driver {name!r} is not a class")
    missing = [member for member in _MEMBERS if not hasattr(factory, member)]
    if missing:
        raise ConfigurationError(
            f"billing driver {name!r} has no {', '.join(missing)}: it is no billing driver"
        )
    return cast(BillingDriver, factory(settings))


def _from_entry_points(name: str) -> str | None:
    found = entry_points(group=GROUP, name=name)
    return next((point.value for point in found), None)


def _names() -> list[str]:
    return sorted({*_BUILT_IN, *(point.name for point in entry_points(group=GROUP))})
