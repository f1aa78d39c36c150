"""The one row of ``ai_installation``, and whether any row belongs to an account at Stripe."""

from __future__ import annotations

from sqlmodel import Session, col, exists, or_, select

from aimeter_cli.models.billables import Billable
from aimeter_cli.models.installation import Installation
from aimeter_cli.models.subscriptions import Subscription

_HAS_IDS = select(
    or_(
        exists().where(col(Billable.stripe_customer_id).is_not(None)),
        exists().where(col(Subscription.stripe_subscription_id).is_not(None)),
    )
)


def installation(session: Session) -> Installation:
    """The installation; the first migration made it."""
    return session.exec(select(Installation)).one()


def is_bound(session: Session, here: Installation) -> bool:
    """Whether rows belong to the account that is written down: something was sent, or ids are here.

    A key that has only been read with, and found nothing, binds nobody.
    """
    return here.stripe_key_hash is not None or bool(session.exec(_HAS_IDS).one())


def bound_installation(session: Session) -> Installation:
    """To read: without the account and mode that bind no row. Changes to it are not stored."""
    here = installation(session)
    is_of_account = is_bound(session, here)
    session.expunge(here)
    if not is_of_account:
        here.stripe_account = here.stripe_livemode = None
    return here
