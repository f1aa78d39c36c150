"""The request that sets an item's amount, made once and stored before it is sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import RowMapping

from aimeter_cli.domain.periods import iso
from aimeter_cli.errors import AimeterError
from aimeter_cli.repositories.payers import Payer
from aimeter_cli.settings.table import Settings

DESCRIPTION_LIMIT = 200


def item_tag(install_id: str, uid: str) -> str:
    """``metadata[aimeter_item]``, by which a look-up finds an item."""
    return f"{install_id}:{uid}"


def item_params(
    item: RowMapping,
    payer: Payer,
    *,
    install_id: str,
    version: int,
    target_minor: int,
    settings: Settings,
    now: datetime,
) -> dict[str, Any]:
    """Parameters of the create, or of the update where the item is at Stripe already.

    What was used until the period ended for which Stripe has a draft goes onto that draft.
    """
    metadata = {
        "aimeter_item": item_tag(install_id, item["uid"]),
        "aimeter_version": str(version),
        "aimeter_billable": payer.billable,
        "aimeter_subscription": str(item["subscription_id"]),
        "aimeter_period_start": iso(item["period_start"]),
        "aimeter_period_end": iso(item["period_end"]),
    }
    if item["stripe_item_id"] is not None:
        return {"amount": target_minor, "metadata": metadata}
    if payer.stripe_customer_id is None:
        raise AimeterError(f"{payer.billable} has no Stripe customer")
    params: dict[str, Any] = {
        "customer": payer.stripe_customer_id,
        "amount": target_minor,
        "currency": item["currency"],
        "description": _description(payer.plan, item, payer.timezone),
        "metadata": metadata,
        "period": {
            "start": int(item["period_start"].timestamp()),
            "end": int(item["period_end"].timestamp()),
        },
        **_plain(settings.stripe_invoice_item),
    }
    draft = payer.draft_for(item["period_end"])
    ended = payer.ends_at is not None and payer.ends_at <= now
    if draft is not None:
        params["invoice"] = draft
    elif payer.stripe_subscription_id is not None and payer.is_live and not ended:
        params["subscription"] = payer.stripe_subscription_id
    return params


def _description(plan: str, item: RowMapping, timezone: str) -> str:
    zone = ZoneInfo(timezone)
    first = item["period_start"].astimezone(zone).date()
    last = (item["period_end"] - timedelta(microseconds=1)).astimezone(zone).date()
    return f"{plan[:DESCRIPTION_LIMIT]}: AI usage beyond the plan, {first} to {last}"


def _plain(table: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(v) if isinstance(v, list | tuple) else v for name, v in table.items()}


def stored(params: Mapping[str, Any]) -> str:
    """The text in ``ai_sync_attempts.request``; parsed again it gives the same request."""
    return json.dumps(params, sort_keys=True, ensure_ascii=False)


def unix_hour_before(moment: datetime) -> int:
    """Where a look-up by creation time begins: clocks differ, requests are held up."""
    return int((moment.astimezone(UTC) - timedelta(hours=1)).timestamp())
