"""``UsageRecorded`` of what a batch has recorded, where anybody wants it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sqlmodel import Session

from aimeter_cli.domain.events import Emitted, EventName
from aimeter_cli.domain.money import from_nanos
from aimeter_cli.domain.pricing import TOKEN_FIELDS
from aimeter_cli.services.events.usage import is_wanted, record_usages
from aimeter_cli.settings.table import Settings

if TYPE_CHECKING:
    from aimeter_cli.services.recording.entries import Entry


def tell_usages(
    session: Session,
    settings: Settings,
    entries: Sequence[Entry],
    billables: Mapping[str, int],
    now: datetime,
) -> None:
    """After they have been inserted and, in credits mode, paid."""
    if is_wanted(settings):
        usages = [_usage(entry, billables[entry.line.billable], now) for entry in entries]
        record_usages(session, settings, usages)


def _usage(entry: Entry, billable_id: int, now: datetime) -> Emitted:
    line = entry.line
    payload = {
        "billable": line.billable, "provider": line.provider, "model": line.model,
        "feature": line.feature, **dict(zip(TOKEN_FIELDS, line.tokens, strict=True)),
        "cost": None if entry.cost is None else f"{from_nanos(entry.cost):f}",
        "currency": entry.currency, "charge": f"{from_nanos(entry.charge):f}",
        "state": entry.state, "billing_mode": entry.billing_mode or "plan",
        "overage_id": entry.overage_id, "idempotency_key": entry.key, "occurred_at": line.stamp,
        "tenant": line.caller.tenant, "user": line.caller.user,
        "meta": None if line.meta is None else json.loads(line.meta),
    }  # fmt: skip
    return Emitted(EventName.USAGE_RECORDED, billable_id, now, payload)
