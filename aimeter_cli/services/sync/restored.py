"""Items that were made after the backup from which this database came: ours all the same."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from sqlalchemy import RowMapping
from sqlmodel import Session

from aimeter_cli.billing.base import ItemView
from aimeter_cli.db.clock import database_now, steady
from aimeter_cli.domain.money import from_nanos, minor_to_nanos
from aimeter_cli.repositories import items as repo
from aimeter_cli.repositories.sendable import ItemKey
from aimeter_cli.services.sync.claim import dissolve, why_impossible
from aimeter_cli.services.sync.claimed import Accounted, Claim, Context
from aimeter_cli.services.sync.target import set_target

RESTORED = "restored"


def adopt(context: Context, claim: Claim, found: Sequence[ItemView]) -> Claim | Accounted | None:
    """Take over what Stripe has for the item's service period, and set the amount anew.

    A pending one becomes this item. A closed one is written down as closed at its amount, of which
    nothing is accounted for here: as much less is left to charge. None: the lease was lost.
    """
    started = steady()
    with context.write() as session:
        now = database_now(session)
        if not repo.set_leased(session, claim.item_id, claim.token, updated_at=now):
            session.rollback()
            return None
        item = repo.item_by_id(session, claim.item_id)
        for view in found:
            if view.is_closed:
                _add_closed(session, item, view)
            else:
                version = max(item["version"], view.version or 0)
                repo.set_item(
                    session, claim.item_id, uid=view.uid, stripe_item_id=view.item_id,
                    version=version, confirmed_minor=view.amount_minor, unanswered_at=None,
                )  # fmt: skip
        key = ItemKey(
            item["billable_id"], item["subscription_id"], item["period_start"], item["currency"]
        )
        item = repo.item_by_id(session, claim.item_id)
        repo.pull_carry(session, claim.item_id, key, item["version"] + 1)
        reason = why_impossible(session, item)
        if reason is not None:
            return dissolve(session, item, reason)
        return set_target(session, context, item, started, is_known=True)


def _add_closed(session: Session, item: RowMapping, view: ItemView) -> None:
    charged = minor_to_nanos(view.amount_minor, item["currency"])
    if view.uid == item["uid"]:  # the item itself was closed: it goes on as its own successor
        repo.set_item(session, item["id"], uid=uuid.uuid4().hex)
    repo.add_closed_item(
        session, item, uid=view.uid, stripe_item_id=view.item_id, stripe_invoice_id=view.invoice_id,
        version=view.version or 0, final_minor=view.amount_minor, carry_out=from_nanos(-charged),
        reason=RESTORED,
    )  # fmt: skip
