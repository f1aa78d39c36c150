"""aimeter: metering and Stripe overage billing for products that resell AI.

For applications::

    from aimeter_cli import AiMeter, QuotaMiddleware, configure, events, inbox, overages, stripe_ids

Each name is imported when it is used, so that none of it slows the command down.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aimeter_cli import events, inbox, overages, stripe_ids
    from aimeter_cli.domain.allowance import LimitCheck, LimitExceeded
    from aimeter_cli.domain.credits import InsufficientCredits
    from aimeter_cli.errors import AimeterError, UsageNotRecorded
    from aimeter_cli.metering.asgi import QuotaMiddleware
    from aimeter_cli.metering.meter import AiMeter
    from aimeter_cli.metering.result import MeteredResponse, MeteredUsage
    from aimeter_cli.metering.runtime import Runtime, configure
    from aimeter_cli.repositories.overages import OverageView

_SUBMODULES = ("events", "inbox", "overages", "stripe_ids")
__version__ = "0.1.0"

_MODULES = {
    "AiMeter": "metering.meter",
    "AimeterError": "errors",
    "InsufficientCredits": "domain.credits",
    "LimitCheck": "domain.allowance",
    "LimitExceeded": "domain.allowance",
    "MeteredResponse": "metering.result",
    "MeteredUsage": "metering.result",
    "OverageView": "repositories.overages",
    "QuotaMiddleware": "metering.asgi",
    "Runtime": "metering.runtime",
    "UsageNotRecorded": "errors",
    "configure": "metering.runtime",
}

__all__ = [
    "AiMeter",
    "AimeterError",
    "InsufficientCredits",
    "LimitCheck",
    "LimitExceeded",
    "MeteredResponse",
    "MeteredUsage",
    "OverageView",
    "QuotaMiddleware",
    "Runtime",
    "UsageNotRecorded",
    "configure",
    "events",
    "inbox",
    "overages",
    "stripe_ids",
]


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(f"{__name__}.{name}")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
