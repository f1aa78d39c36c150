"""Stored events become typed ones, also those whose payload is older than the type."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from aimeter_cli.domain.event_types import (
    TYPES,
    ChargedOverage,
    CreditsAdded,
    ExpiredSubscription,
    LimitReached,
    OverageCharged,
    OverageSyncFailed,
    PaymentFailed,
    SubscriptionExpired,
    events_of,
)
from aimeter_cli.domain.events import Emitted, EventName

AT = datetime(2026, 11, 15, 12, tzinfo=UTC)
MONTH = datetime(2026, 11, 1, tzinfo=UTC)
NEXT = datetime(2026, 12, 1, tzinfo=UTC)


def typed(name: EventName, payload: dict[str, Any]) -> list[Any]:
    return list(events_of(Emitted(name, 1, AT, payload), "user:42"))


def test_every_name_has_the_type_of_that_name() -> None:
    assert {name.value: kind.__name__ for name, kind in TYPES.items()} == {
        name.value: name.value for name in EventName
    }


def test_each_overage_of_a_charged_item_is_an_event_with_its_amount() -> None:
    charged = {
        "subscription_id": 3, "period_start": "2026-11-01T00:00:00Z",
        "period_end": "2026-12-01T00:00:00Z", "tokens": 500, "amount": "2.000000000",
        "currency": "usd", "charge_amount": "1.700000001", "charge_currency": "eur",
    }  # fmt: skip
    payload = {
        "overages": [17, 18], "stripe_invoice_item_id": "ii_1", "amount_minor": 340,
        "currency": "eur", "charged": [{"id": 17, **charged}, {"id": 18, **charged}],
    }  # fmt: skip
    first, second = typed(EventName.OVERAGE_CHARGED, payload)
    assert first == OverageCharged(
        billable="user:42", created_at=AT, amount=Decimal("1.700000001"), currency="eur",
        stripe_invoice_item_id="ii_1",
        overage=ChargedOverage(
            id=17, subscription_id=3, period_start=MONTH, period_end=NEXT, tokens=500,
            amount=Decimal(2), currency="usd",
        ),
    )  # fmt: skip
    assert second.overage.id == 18


def test_an_expired_subscription_is_carried_whole() -> None:
    payload = {
        "subscription_id": 5, "plan_id": 2, "stripe_subscription_id": "sub_1",
        "started_at": "2026-11-01T00:00:00Z", "expired_at": "2026-12-01T00:00:00Z",
        "invoice_id": "in_1",
    }  # fmt: skip
    assert typed(EventName.SUBSCRIPTION_EXPIRED, payload) == [
        SubscriptionExpired(
            billable="user:42", created_at=AT, expired_at=NEXT, invoice_id="in_1",
            subscription=ExpiredSubscription(
                id=5, plan_id=2, stripe_subscription_id="sub_1", started_at=MONTH
            ),
        )
    ]  # fmt: skip


def test_numbers_are_decimals_and_lists_tuples() -> None:
    [reached] = typed(EventName.LIMIT_REACHED, {"kind": "tokens", "used": 1200, "limit": 1000})
    assert isinstance(reached, LimitReached)
    assert [repr(reached.used), repr(reached.limit)] == ["Decimal('1200')", "Decimal('1000')"]
    [added] = typed(EventName.CREDITS_ADDED, {"amount": "0.100000000", "transaction_id": 4})
    assert isinstance(added, CreditsAdded)
    assert (added.amount, added.transaction_id) == (Decimal("0.1"), 4)
    [failed] = typed(EventName.OVERAGE_SYNC_FAILED, {"overages": [1, 2], "reason": "card"})
    assert isinstance(failed, OverageSyncFailed)
    assert failed.overages == (1, 2)


@pytest.mark.parametrize("name", [name for name in EventName if name != "OverageCharged"])
def test_what_a_payload_lacks_is_none_and_what_it_has_too_much_is_left_out(name: EventName) -> None:
    [event] = typed(name, {"of_a_later_version": True, "subscription_id": 1})
    assert (type(event), event.billable, event.created_at) == (TYPES[name], "user:42", AT)


def test_a_charge_of_before_overages_were_told_is_no_typed_event() -> None:
    assert typed(EventName.OVERAGE_CHARGED, {"overages": [17], "amount_minor": 5}) == []


def test_times_that_are_not_told_are_none() -> None:
    [failed] = typed(EventName.PAYMENT_FAILED, {"failed_at": "2026-11-15T12:00:00Z"})
    assert isinstance(failed, PaymentFailed)
    assert (failed.failed_at, failed.grace_period_ends_at) == (AT, None)
