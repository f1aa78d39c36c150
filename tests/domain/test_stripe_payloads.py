"""Facts in Stripe's objects, in all of their shapes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from aimeter_cli.domain.stripe_payloads import (
    PayloadFault,
    is_reactivation,
    is_recovery,
    read_invoice,
    read_subscription,
)

_OWN_LINE = {"type": "subscription", "subscription": "sub_A"}
_NEW_LINE = {"parent": {"subscription_item_details": {"subscription": "sub_A"}}}
_EXTRA_LINE = {"type": "invoiceitem", "subscription": "sub_A"}
_OTHER_LINE = {"type": "subscription", "subscription": "sub_B"}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"parent": {"subscription_details": {"subscription": "sub_A"}}}, "sub_A"),
        ({"parent": {"subscription_details": {"subscription": {"id": "sub_A"}}}}, "sub_A"),
        ({"subscription": "sub_A"}, "sub_A"),
        ({"subscription": {"id": "sub_A", "object": "subscription"}}, "sub_A"),
        ({"subscription": None, "lines": {"data": [_OWN_LINE]}}, "sub_A"),
        ({"parent": None, "lines": {"data": [_NEW_LINE, _EXTRA_LINE]}}, "sub_A"),
        ({"lines": {"data": [_EXTRA_LINE]}}, None),
        ({"lines": {"data": [_OWN_LINE, _OTHER_LINE]}}, None),
        ({"parent": {"type": "quote_details"}, "lines": {"data": []}}, None),
        ({}, None),
        ({"lines": [], "parent": [], "subscription": 7}, None),
    ],
)
def test_an_invoice_names_its_subscription_or_none(body: dict[str, Any], found: str | None) -> None:
    assert read_invoice({"id": "in_1", **body}).subscription_id == found


@pytest.mark.parametrize(
    ("body", "prices"),
    [
        ({"items": {"data": [{"price": {"id": "price_1"}}]}}, ("price_1",)),
        ({"items": {"data": [{"price": "price_1"}, {"price": "price_1"}]}}, ("price_1",)),
        ({"items": {"data": [{"plan": {"id": "gold"}}]}}, ("gold",)),
        ({"plan": {"id": "gold"}}, ("gold",)),
        ({"items": {"data": []}}, ()),
        ({}, ()),
    ],
)
def test_the_prices_of_a_subscription(body: dict[str, Any], prices: tuple[str, ...]) -> None:
    assert read_subscription({"id": "sub_1", "status": "active", **body}).prices == prices


def test_a_subscription_without_any_period_has_none() -> None:
    assert read_subscription({"id": "sub_1", "status": "active"}).period(()) is None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"status": "active"}, "data.object.id is missing"),
        ({"id": "sub_1"}, "data.object.status is missing"),
        ({"id": "sub_1", "status": "active", "cancel_at": "soon"}, "cancel_at is not a time"),
        ({"id": "sub_1", "status": "active", "ended_at": True}, "ended_at is not a time"),
        ({"id": "sub_1", "status": "active", "ended_at": 10**20}, "ended_at is out of range"),
    ],
)
def test_a_broken_subscription_is_refused_by_the_name_of_the_field(
    body: dict[str, Any], message: str
) -> None:
    with pytest.raises(PayloadFault) as fault:
        read_subscription(body)
    assert fault.value.message == message


@pytest.mark.parametrize(
    ("was", "now", "recovered"),
    [
        ("past_due", "active", True),
        ("unpaid", "active", True),
        ("unpaid", "trialing", True),
        ("past_due", "unpaid", False),
        ("trialing", "active", False),
        (None, "active", False),
    ],
)
def test_only_past_due_or_unpaid_to_active_is_a_recovery(
    was: str | None, now: str, recovered: bool
) -> None:
    assert is_recovery({"status": now}, {"status": was}) is recovered


def test_a_reactivation_takes_back_either_kind_of_cancellation() -> None:
    assert is_reactivation({"cancel_at_period_end": True})
    assert is_reactivation({"cancel_at": 1_800_000_000})
    assert not is_reactivation({"cancel_at_period_end": False, "cancel_at": None})


def test_times_are_aware_utc() -> None:
    body = {"id": "sub_1", "status": "active", "trial_end": 0}
    assert read_subscription(body).trial_end == datetime(1970, 1, 1, tzinfo=UTC)
