"""The driver that has nowhere to send: the default, until billing is set up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from aimeter_cli.billing.base import Account, ItemRequest, ItemView, Reply
from aimeter_cli.errors import ConfigurationError
from aimeter_cli.settings.table import Settings

SET_DRIVER = (
    'Set driver = "stripe" under [billing] in aimeter.toml '
    "(or AI_METERING_BILLING_DRIVER=stripe), and STRIPE_API_KEY in the environment."
)


class NullDriver:
    """Refuses every call, and says how to set a real driver."""

    name = "null"
    livemode = False

    def __init__(self, settings: Settings) -> None:
        del settings  # it has nothing to configure

    def ensure_ready(self) -> NoReturn:
        raise ConfigurationError(
            "the billing driver is null: there is nowhere to send overages",
            hint=SET_DRIVER,
        )

    def account(self) -> Account:
        self.ensure_ready()

    def send(self, request: ItemRequest) -> Reply:
        self.ensure_ready()

    def read(self, item_id: str) -> ItemView | Reply:
        self.ensure_ready()

    def find(self, customer_id: str, tag: str, created_since: int) -> Sequence[ItemView] | Reply:
        self.ensure_ready()

    def close(self) -> None:
        """Nothing was opened."""
