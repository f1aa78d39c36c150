"""Listen to what happens: ``events.listen(events.OverageCharged, function)``.

Listeners run after the commit of what they are told, in the thread that committed, and harm nothing
by what they raise.
"""

from __future__ import annotations

from aimeter_cli.domain.event_types import (
    AlertRaised,
    AlertResolved,
    ChargedOverage,
    CreditsAdded,
    CreditsDeducted,
    Event,
    ExpiredSubscription,
    LimitApproaching,
    LimitReached,
    OverageCharged,
    OverageSyncFailed,
    PaymentFailed,
    PlanChanged,
    ProviderCallFailed,
    SubscriptionExpired,
    UsageRecorded,
)
from aimeter_cli.services.events.listeners import forget, listen, listening
from aimeter_cli.services.events.signatures import verify_signature

__all__ = [
    "AlertRaised",
    "AlertResolved",
    "ChargedOverage",
    "CreditsAdded",
    "CreditsDeducted",
    "Event",
    "ExpiredSubscription",
    "LimitApproaching",
    "LimitReached",
    "OverageCharged",
    "OverageSyncFailed",
    "PaymentFailed",
    "PlanChanged",
    "ProviderCallFailed",
    "SubscriptionExpired",
    "UsageRecorded",
    "forget",
    "listen",
    "listening",
    "verify_signature",
]
