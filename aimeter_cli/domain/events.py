"""The names of what happened here (DESIGN.md, "Vocabulary": domain event)."""

from enum import StrEnum


class EventName(StrEnum):
    """Written to the outbox in the transaction that made it true."""

    OVERAGE_CHARGED = "OverageCharged"
    OVERAGE_SYNC_FAILED = "OverageSyncFailed"
    PLAN_CHANGED = "PlanChanged"
    PAYMENT_FAILED = "PaymentFailed"
    SUBSCRIPTION_EXPIRED = "SubscriptionExpired"
    LIMIT_REACHED = "LimitReached"
