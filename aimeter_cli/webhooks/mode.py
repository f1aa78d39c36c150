"""Live or test: an installation's rows tell its mode, else its key does, else its first event."""

from __future__ import annotations

from sqlalchemy import select, update

from aimeter_cli.domain.stripe_events import StripeEvent
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.installation import Installation
from aimeter_cli.webhooks.transaction import Transaction

LIVE_KEYS = ("sk_live_", "rk_live_")
_installation = table_of(Installation)
_TOLD = select(_installation.c.stripe_livemode)
_IS_UNKNOWN = _installation.c.stripe_livemode.is_(None)


def mode_of(transaction: Transaction, event: StripeEvent) -> bool:
    """Whether the installation is one of live mode.

    Where nothing has told so far, ``event`` does, for good: it is written down, so that a key of
    the other mode is refused later on.
    """
    connection, key = transaction.connection, transaction.settings.stripe_api_key
    told: bool | None = connection.execute(_TOLD).scalar_one()
    if told is None and key:
        return key.startswith(LIVE_KEYS)
    if told is None:
        first = update(_installation).where(_IS_UNKNOWN).values(stripe_livemode=event.livemode)
        connection.execute(first)
        told = connection.execute(_TOLD).scalar_one()  # another process may have been first
    return bool(told)
