"""What listeners are given: a frozen dataclass for each name of a domain event.

An event is stored by its name with a JSON object, its *payload*; :func:`events_of` makes typed
events of it. A key that a payload lacks, as older rows may, is None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

from aimeter_cli.domain.events import Emitted, EventName
from aimeter_cli.domain.periods import parse_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """``billable`` is TYPE:ID; ``created_at`` when it became true, business time."""

    billable: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRecorded(Event):
    """``cost`` in ``currency``, None while there is no price; ``charge`` in the plan's currency."""

    provider: str | None
    model: str | None
    feature: str | None
    input_tokens: int | None
    cached_input_tokens: int | None
    cache_write_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    cost: Decimal | None
    currency: str | None
    charge: Decimal | None
    state: str | None
    billing_mode: str | None
    overage_id: int | None
    idempotency_key: str | None
    occurred_at: datetime | None
    tenant: str | None
    user: str | None
    meta: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limit(Event):
    plan: str | None
    kind: str | None
    used: Decimal | None
    limit: Decimal | None
    percent: int | None
    currency: str | None
    period_start: datetime | None
    period_end: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitApproaching(_Limit):
    """``limit_approaching_percent`` of a limit are used; once per period. ``kind``: tokens, cost
    (in ``currency``) or requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitReached(_Limit):
    """Nothing is left of a limit; once per period."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargedOverage:
    """``amount`` in the plan's ``currency``."""

    id: int
    subscription_id: int | None
    period_start: datetime | None
    period_end: datetime | None
    tokens: int | None
    amount: Decimal | None
    currency: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OverageCharged(Event):
    """``overage`` is on an invoice item at Stripe: ``amount``, in the customer's ``currency``."""

    overage: ChargedOverage
    amount: Decimal | None
    currency: str | None
    stripe_invoice_item_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OverageSyncFailed(Event):
    """Overages that do not get to Stripe without a person."""

    overages: tuple[int, ...] | None
    reason: str | None
    run_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Credits(Event):
    kind: str | None
    amount: Decimal | None
    currency: str | None
    balance: Decimal | None
    transaction_id: int | None
    usage_id: int | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditsAdded(_Credits):
    """``kind`` of the ledger's entry: add or refund; ``balance`` after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditsDeducted(_Credits):
    """``kind``: deduct, usage, expiry or correction; ``balance`` after it; ``usage_id`` of the
    usage that was paid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChanged(Event):
    """By slug. ``effective_at``: from when on."""

    subscription_id: int | None
    stripe_subscription_id: str | None
    previous_plan: str | None
    plan: str | None
    effective_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFailed(Event):
    """``grace_period_ends_at`` where the failure began the grace."""

    subscription_id: int | None
    stripe_subscription_id: str | None
    invoice_id: str | None
    attempt_count: int | None
    failed_at: datetime | None
    next_payment_attempt: datetime | None
    grace_period_ends_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiredSubscription:
    """``plan_id`` as it was on at the end."""

    id: int
    plan_id: int | None
    stripe_subscription_id: str | None
    started_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionExpired(Event):
    """Grace ran out; ``invoice_id`` is the unpaid one."""

    subscription: ExpiredSubscription
    expired_at: datetime | None
    invoice_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderCallFailed(Event):
    """``error`` is the type of what the provider raised."""

    provider: str | None
    model: str | None
    feature: str | None
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Alert(Event):
    alert: str | None
    kind: str | None
    subject: str | None
    detail: str | None
    facts: Mapping[str, Any] | None
    opened_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRaised(_Alert):
    """What needs a person has begun, or goes on: then ``is_reminder``. ``alert`` is the name in the
    configuration; ``hint`` says what to type."""

    hint: str | None
    is_reminder: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertResolved(_Alert):
    """It is over; or, with ``is_watched`` false, the configuration asks for it no more."""

    is_watched: bool | None


TYPES: dict[EventName, type[Event]] = {
    EventName.USAGE_RECORDED: UsageRecorded,
    EventName.LIMIT_APPROACHING: LimitApproaching,
    EventName.LIMIT_REACHED: LimitReached,
    EventName.OVERAGE_CHARGED: OverageCharged,
    EventName.OVERAGE_SYNC_FAILED: OverageSyncFailed,
    EventName.CREDITS_ADDED: CreditsAdded,
    EventName.CREDITS_DEDUCTED: CreditsDeducted,
    EventName.PLAN_CHANGED: PlanChanged,
    EventName.PAYMENT_FAILED: PaymentFailed,
    EventName.SUBSCRIPTION_EXPIRED: SubscriptionExpired,
    EventName.PROVIDER_CALL_FAILED: ProviderCallFailed,
    EventName.ALERT_RAISED: AlertRaised,
    EventName.ALERT_RESOLVED: AlertResolved,
}


def events_of(emitted: Emitted, billable: str | None) -> Iterator[Event]:
    """The typed events of a stored one: one for each overage that was charged, else one."""
    given = {**emitted.payload, "billable": billable, "created_at": emitted.at}
    if emitted.name is EventName.OVERAGE_CHARGED:
        for charged in given.get("charged", ()):
            amount = {"amount": charged["charge_amount"], "currency": charged["charge_currency"]}
            overage = _made(ChargedOverage, charged)
            yield _made(OverageCharged, {**given, **amount, "overage": overage})
        return
    if emitted.name is EventName.SUBSCRIPTION_EXPIRED:
        told = {**given, "id": given.get("subscription_id")}
        given["subscription"] = _made(ExpiredSubscription, told)
    yield _made(TYPES[emitted.name], given)


def _made(kind: Any, given: Mapping[str, Any]) -> Any:
    """A dataclass from the values of its fields' names, each of the field's type or JSON."""
    values = {}
    for name, convert in _converters(kind):
        value = given.get(name)
        values[name] = value if value is None or convert is None else convert(value)
    return kind(**values)


@cache
def _converters(kind: Any) -> tuple[tuple[str, Callable[[Any], Any] | None], ...]:
    """The fields of a dataclass, each with what makes its type of JSON."""
    return tuple(
        (field.name, _FROM_JSON.get(str(field.type).partition(" |")[0])) for field in fields(kind)
    )


def _moment(value: str | datetime) -> datetime:
    return value if isinstance(value, datetime) else parse_time(value)


def _decimal(value: str | int | Decimal) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(value)


_FROM_JSON: dict[str, Callable[[Any], Any]] = {
    "Decimal": _decimal,
    "datetime": _moment,
    "tuple[int, ...]": tuple,
}
