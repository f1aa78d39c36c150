"""The domain events of a sync, written with what made them true."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping
from sqlmodel import Session

from aimeter_cli.billing.base import Reply
from aimeter_cli.domain.events import EventName
from aimeter_cli.domain.periods import iso
from aimeter_cli.repositories.outbox import emit
from aimeter_cli.services.sync.claimed import Claim, Context


def emit_charged(
    session: Session,
    context: Context,
    claim: Claim,
    reply: Reply,
    charged: Sequence[RowMapping],
) -> None:
    """``charged``: the overages that have become synced."""
    emit(
        session, EventName.OVERAGE_CHARGED, billable_id=claim.billable_id, now=context.now,
        payload={
            "overages": list(claim.overage_ids), "stripe_invoice_item_id": reply.item_id,
            "amount_minor": claim.target_minor, "before_minor": claim.confirmed_minor,
            "currency": claim.currency, "charged": [_overage(row) for row in charged],
        },
    )  # fmt: skip


def _overage(row: RowMapping) -> dict[str, Any]:
    """As JSON: money with nine places, times in UTC."""
    return {
        "id": row["id"], "subscription_id": row["subscription_id"],
        "period_start": iso(row["period_start"]), "period_end": iso(row["period_end"]),
        "tokens": row["tokens"], "amount": f"{row['amount']:f}", "currency": row["currency"],
        "charge_amount": f"{row['charge_amount']:f}", "charge_currency": row["charge_currency"],
    }  # fmt: skip


def emit_failed(
    session: Session,
    context: Context,
    billable_id: int,
    overage_ids: Sequence[int],
    reason: str | None,
) -> None:
    tell_failed(session, billable_id, overage_ids, reason, now=context.now, run_id=context.run_id)


def tell_failed(
    session: Session,
    billable_id: int,
    overage_ids: Sequence[int],
    reason: str | None,
    *,
    now: datetime,
    run_id: str | None = None,
) -> None:
    """``run_id`` None: no run found it out, an event of Stripe told it."""
    emit(
        session, EventName.OVERAGE_SYNC_FAILED, billable_id=billable_id, now=now,
        payload={"overages": list(overage_ids), "reason": reason, "run_id": run_id},
    )  # fmt: skip
