"""Live or test: an installation's rows tell, else its key, else the first event of theirs."""

from __future__ import annotations

from sqlalchemy import update

from aimeter_cli.domain.stripe_events import StripeEvent
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.installation import Installation
from aimeter_cli.repositories.installation import bound_installation
from aimeter_cli.webhooks.transaction import Transaction

LIVE_KEYS = ("sk_live_", "rk_live_")
_installation = table_of(Installation)
_IS_UNKNOWN = _installation.c.stripe_livemode.is_(None)


def mode_of(transaction: Transaction) -> bool | None:
    """Whether the installation is one of live mode; None: nothing has told so far."""
    told = bound_installation(transaction.session).stripe_livemode
    key = transaction.settings.stripe_api_key
    return key.startswith(LIVE_KEYS) if told is None and key else told


def settle_mode(transaction: Transaction, event: StripeEvent) -> None:
    """Write down, for good, that an event of this mode was one of ours."""
    first = update(_installation).where(_IS_UNKNOWN).values(stripe_livemode=event.livemode)
    transaction.connection.execute(first)
