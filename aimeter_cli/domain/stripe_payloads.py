"""The facts in Stripe's objects, read alike from every shape that Stripe has sent.

Source: STRIPE.md, "Webhooks". Events keep the API version they were made with, so the shapes of
before and since 2025-03-31.basil live for ever. Amounts are not read here; times are aware UTC.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aimeter_cli.domain.periods import Period
from aimeter_cli.errors import AimeterError

TERMINAL = ("canceled", "incomplete_expired")
_IN_ARREARS = ("past_due", "unpaid")
_RECOVERED = ("active", "trialing")
_COMPARED = ("status", "cancel_at_period_end", "cancel_at")
_CYCLE = "subscription_cycle"


class PayloadFault(AimeterError):
    """An object lacks what every version of it has. The message names the field, not its value."""


@dataclass(frozen=True, slots=True)
class SubscriptionItem:
    price: str | None
    period: Period | None


@dataclass(frozen=True, slots=True)
class StripeSubscription:
    """What a ``customer.subscription.*`` event says about its subscription."""

    id: str
    status: str
    items: tuple[SubscriptionItem, ...]
    anchor: datetime | None
    cancel_at_period_end: bool
    cancel_at: datetime | None
    canceled_at: datetime | None
    ended_at: datetime | None
    trial_end: datetime | None
    is_paused: bool
    cancellation_reason: str | None

    @property
    def is_terminal(self) -> bool:
        return self.status in TERMINAL

    @property
    def prices(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(item.price for item in self.items if item.price is not None))

    def period(self, our_prices: Collection[str]) -> Period | None:
        """The period of the item with one of our plan's prices, else the one that ends last."""
        told = [(item.price in our_prices, item.period) for item in self.items if item.period]
        best = max(told, key=lambda each: (each[0], each[1].end, each[1].start), default=None)
        return best[1] if best else None


@dataclass(frozen=True, slots=True)
class StripeInvoice:
    """What an ``invoice.*`` event says. ``subscription_id`` None: it is no subscription's.

    ``renewal_end``: of an invoice that a renewal has made, the end of the period that it closes.
    ``item_ids``: the invoice items on the lines that were told, which are the first few.
    """

    id: str
    subscription_id: str | None
    attempt_count: int | None
    next_payment_attempt: datetime | None
    is_draft: bool
    renewal_end: datetime | None
    item_ids: tuple[str, ...]


def read_subscription(body: Mapping[str, Any]) -> StripeSubscription:
    """Raises PayloadFault if it is no subscription."""
    details = _hash(body.get("cancellation_details"))
    reason = details.get("reason")
    status = _required(body, "status")
    return StripeSubscription(
        id=_required(body, "id"),
        status=status,
        items=tuple(_items(body)),
        anchor=_time(body, "billing_cycle_anchor"),
        cancel_at_period_end=body.get("cancel_at_period_end") is True,
        cancel_at=_time(body, "cancel_at"),
        canceled_at=_time(body, "canceled_at"),
        ended_at=_time(body, "ended_at"),
        trial_end=_time(body, "trial_end"),
        is_paused=status == "paused" or bool(body.get("pause_collection")),
        cancellation_reason=reason if isinstance(reason, str) and reason.isprintable() else None,
    )


def _is_draft(invoice: Mapping[str, Any]) -> bool:
    """API versions before 2018-11-08 have no ``status``, but tell these three."""
    if "status" in invoice:
        return bool(invoice["status"] == "draft")
    return all(invoice.get(fact) is False for fact in ("closed", "paid", "attempted"))


def read_invoice(body: Mapping[str, Any]) -> StripeInvoice:
    """Raises PayloadFault if it is no invoice."""
    attempts = body.get("attempt_count")
    return StripeInvoice(
        id=_required(body, "id"),
        subscription_id=_invoice_subscription(body),
        attempt_count=attempts if isinstance(attempts, int) else None,
        next_payment_attempt=_time(body, "next_payment_attempt"),
        is_draft=_is_draft(body),
        # The API reference on ``period_end``: it "looks back one period for a subscription
        # invoice". Other invoices of a subscription (``subscription_update``, ``_threshold``,
        # ``_create``) close no period.
        renewal_end=_time(body, "period_end") if body.get("billing_reason") == _CYCLE else None,
        item_ids=tuple(_line_items(body)),
    )


def is_recovery(body: Mapping[str, Any], previous: Mapping[str, Any]) -> bool:
    """Whether the update took the subscription from ``past_due``/``unpaid`` to ``active``."""
    return previous.get("status") in _IN_ARREARS and body.get("status") in _RECOVERED


def contradicts(previous: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    """Whether an update began in another state than ``body``: there was another one between.

    Only what matters here counts, and what ``previous_attributes`` tells.
    """
    if any(name in previous and previous[name] != body.get(name) for name in _COMPARED):
        return True
    pauses = "pause_collection" in previous
    if pauses and bool(previous["pause_collection"]) != bool(body.get("pause_collection")):
        return True
    before = {_price(_hash(item)) for item in _listed(previous)} - {None}
    return bool(before) and before != {_price(_hash(item)) for item in _listed(body)} - {None}


def is_in_good_standing(stripe: StripeSubscription) -> bool:
    """Whether nothing is owed for it: a failed renewal makes it ``past_due`` or ``unpaid``."""
    return stripe.status in _RECOVERED


def is_reactivation(previous: Mapping[str, Any]) -> bool:
    """Whether the update took back a cancellation that had been scheduled."""
    return previous.get("cancel_at_period_end") is True or previous.get("cancel_at") is not None


def _items(body: Mapping[str, Any]) -> Iterator[SubscriptionItem]:
    items = _listed(body)
    # Before subscriptions had items, the one plan stood at the top, as the period did until 2025.
    for item in items or [body]:
        source = _hash(item)
        yield SubscriptionItem(_price(source), _period(source) or _period(body))


def _listed(body: Mapping[str, Any]) -> Sequence[object]:
    listed = _hash(body.get("items")).get("data")
    return listed if isinstance(listed, list) else []


def _price(item: Mapping[str, Any]) -> str | None:
    return _id(item.get("price")) or _id(item.get("plan"))


def _period(source: Mapping[str, Any]) -> Period | None:
    start, end = _time(source, "current_period_start"), _time(source, "current_period_end")
    return Period(start, end) if start is not None and end is not None else None


def _invoice_subscription(body: Mapping[str, Any]) -> str | None:
    parent = _hash(_hash(body.get("parent")).get("subscription_details"))
    named = _id(parent.get("subscription")) or _id(body.get("subscription"))
    if named is not None:
        return named
    found = {_line_subscription(line) for line in _lines(body)}
    found.discard(None)
    return found.pop() if len(found) == 1 else None  # never a guess among several


def _lines(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    told = _hash(body.get("lines")).get("data")
    return [_hash(line) for line in told] if isinstance(told, list) else []


def _line_items(body: Mapping[str, Any]) -> Iterator[str]:
    for line in _lines(body):
        parent = _hash(_hash(line.get("parent")).get("invoice_item_details"))
        # Before 2025 the item stood on the line; before that, its id was the line's own.
        for told in (parent.get("invoice_item"), line.get("invoice_item"), line.get("id")):
            found = _id(told)
            if found is not None and found.startswith("ii_"):
                yield found
                break


def _line_subscription(line: Mapping[str, Any]) -> str | None:
    """The subscription of a subscription's line; an extra item of one does not count."""
    parent = _hash(_hash(line.get("parent")).get("subscription_item_details"))
    if parent:
        return _id(parent.get("subscription"))
    if line.get("type") != "subscription":
        return None
    named, own = _id(line.get("subscription")), _id(line.get("id"))
    # Until 2018 such a line's own id was the subscription's.
    return named or (own if own is not None and own.startswith("sub_") else None)


def _id(value: object) -> str | None:
    """The id in a field that may be expanded to the whole object."""
    if isinstance(value, dict):
        value = value.get("id")
    return value if isinstance(value, str) and value and value.isprintable() else None


def _required(body: Mapping[str, Any], field: str) -> str:
    value = _id(body.get(field))
    if value is None:
        raise PayloadFault(f"data.object.{field} is missing")
    return value


def _hash(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}  # an ABC would take ten times as long


def _time(source: Mapping[str, Any], field: str) -> datetime | None:
    value = source.get(field)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise PayloadFault(f"{field} is not a time")
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        raise PayloadFault(f"{field} is out of range") from None
