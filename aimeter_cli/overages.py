"""Overages from code: what is not synced yet, and what was charged by hand."""

from __future__ import annotations

from aimeter_cli.metering.references import reference_of
from aimeter_cli.metering.runtime import Runtime, default_runtime
from aimeter_cli.models.overages import UNSYNCED
from aimeter_cli.repositories.overages import OverageView
from aimeter_cli.services.overages import by_hand
from aimeter_cli.services.overages.listing import list_overages

__all__ = ["OverageView", "mark_synced", "unsynced"]


def unsynced(billable: object, *, runtime: Runtime | None = None) -> list[OverageView]:
    """Every overage of the billable but the synced, carried and waived ones; newest first."""
    here = runtime or default_runtime()
    ref = reference_of(billable, here.billable_resolver)
    found = list_overages(here.database, statuses=UNSYNCED, billable=str(ref), limit=None)
    return found.rows


def mark_synced(
    overage_id: int, stripe_invoice_item_id: str, *, runtime: Runtime | None = None
) -> OverageView:
    """Say that a person charged it by another invoice item: nothing will be sent for it.

    Raises Conflict if it is being sent or charged already, or if the item is one of ours;
    NotFound; InvalidInput unless the id is an ``ii_…``.
    """
    here = runtime or default_runtime()
    return by_hand.mark_synced(here.database, overage_id, stripe_invoice_item_id, now=here.now())
