"""The names of what happened here (DESIGN.md, "Vocabulary": domain event).

What listeners are given for each name: :mod:`aimeter_cli.domain.event_types`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple


class EventName(StrEnum):
    """Written to the outbox in the transaction that made it true."""

    USAGE_RECORDED = "UsageRecorded"
    LIMIT_APPROACHING = "LimitApproaching"
    LIMIT_REACHED = "LimitReached"
    OVERAGE_CHARGED = "OverageCharged"
    OVERAGE_SYNC_FAILED = "OverageSyncFailed"
    CREDITS_ADDED = "CreditsAdded"
    CREDITS_DEDUCTED = "CreditsDeducted"
    PLAN_CHANGED = "PlanChanged"
    PAYMENT_FAILED = "PaymentFailed"
    SUBSCRIPTION_EXPIRED = "SubscriptionExpired"
    PROVIDER_CALL_FAILED = "ProviderCallFailed"
    ALERT_RAISED = "AlertRaised"
    ALERT_RESOLVED = "AlertResolved"


class Emitted(NamedTuple):
    """An event as its transaction tells it. ``at`` is business time."""

    name: EventName
    billable_id: int | None
    at: datetime
    payload: Mapping[str, Any]
