"""A Stripe event as it comes: its envelope, its content, and which of two is the later.

Sources: https://docs.stripe.com/api/events/object, DESIGN.md "Webhooks", STRIPE.md "Webhooks".
Nothing here knows what an event means; the facts in it are read by ``stripe_payloads``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aimeter_cli.errors import InvalidInput

_ID = re.compile(r"[A-Za-z0-9_\-]{1,255}")
_TYPE = re.compile(r"[a-z0-9_.]{1,120}")
_LATEST = 253_402_300_799  # the last second of the year 9999
_FAILED = "invoice.payment_failed"
_MOST_ATTEMPTS = 2**31
_PER_DELIVERY = ("pending_webhooks",)
"""Fields of the same event that differ from one delivery to the next."""

_RANKS = {"customer.subscription.created": 0, "customer.subscription.deleted": 2}


class NotAnEvent(InvalidInput):
    """What came is no Stripe event that can be handled; the message says what it is instead."""


@dataclass(frozen=True)
class StripeEvent:
    """A snapshot event. ``object`` is ``data.object``, ``previous`` its ``previous_attributes``."""

    id: str
    type: str
    created: datetime
    livemode: bool
    api_version: str | None
    object: Mapping[str, Any]
    previous: Mapping[str, Any]
    document: Mapping[str, Any]

    @property
    def object_id(self) -> str | None:
        found = self.object.get("id")
        return found if isinstance(found, str) and _ID.fullmatch(found) else None

    @property
    def attempt_count(self) -> int | None:
        """Which attempt to pay its invoice has failed."""
        told = self.object.get("attempt_count") if self.type == _FAILED else None
        return told if isinstance(told, int) and 0 <= told < _MOST_ATTEMPTS else None

    @property
    def content(self) -> Mapping[str, Any]:
        """What is the same in every delivery of the event."""
        return {k: v for k, v in self.document.items() if k not in _PER_DELIVERY}


def parse_event(document: object) -> StripeEvent:
    """The event in a parsed JSON value. Raises NotAnEvent, which never quotes the payload."""
    envelope = _checked_envelope(document)
    data = envelope.get("data")
    body = data.get("object") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(body, dict):
        raise NotAnEvent("not a Stripe event: it has no data.object")
    previous, version = data.get("previous_attributes"), envelope.get("api_version")
    return StripeEvent(
        id=_text(envelope, "id", _ID),
        type=_text(envelope, "type", _TYPE),
        created=_created(envelope.get("created")),
        livemode=_livemode(envelope.get("livemode")),
        api_version=version if isinstance(version, str) else None,
        object=body,
        previous=previous if isinstance(previous, dict) else {},
        document=envelope,
    )


def is_later(event: StripeEvent, other: StripeEvent) -> bool:
    """Whether ``event`` happened after ``other``, both about one object in the same second.

    ``created`` has a resolution of a second, so the rule is: a subscription's ``created`` comes
    first and its ``deleted`` last; otherwise an event whose ``previous_attributes`` are what the
    other one left behind comes after it; otherwise the greater id, which is arbitrary, but makes
    every order of arrival end in the same state.
    """
    ranks = _rank(event), _rank(other)
    if ranks[0] != ranks[1]:
        return ranks[0] > ranks[1]
    after = bool(event.previous) and _within(event.previous, other.object)
    before = bool(other.previous) and _within(other.previous, event.object)
    return after if after != before else event.id > other.id


def is_tie(event: StripeEvent, other: StripeEvent) -> bool:
    """Whether nothing but :func:`is_later`'s evidence tells which of two events came first."""
    same = event.created == other.created
    return same and _rank(event) == _rank(other)


def in_true_order(event: StripeEvent) -> tuple[datetime, int, str]:
    """A key to sort events by, as far as they tell themselves when they happened."""
    return event.created, _rank(event), event.id


def _rank(event: StripeEvent) -> int:
    return _RANKS.get(event.type, 1)


def _checked_envelope(document: object) -> Mapping[str, Any]:
    """Tells what is no event apart; an EventBridge envelope is opened."""
    if not isinstance(document, dict):
        raise NotAnEvent("not a Stripe event: expected a JSON object")
    detail = document.get("detail") if "detail-type" in document else None
    envelope: Mapping[str, Any] = detail if isinstance(detail, dict) else document
    kind = envelope.get("object")
    if kind == "event":
        return envelope
    if kind == "v2.core.event":
        raise NotAnEvent("a thin v2 event: it carries no object; subscribe to snapshot (v1) events")
    if isinstance(kind, str) and _TYPE.fullmatch(kind):
        raise NotAnEvent(
            f"not a Stripe event but a bare {kind} object, without the event around it"
        )
    if isinstance(kind, Mapping):
        raise NotAnEvent("not a Stripe event but the data of an event, without what is around it")
    raise NotAnEvent('not a Stripe event: "object" is not "event"')


def _text(envelope: Mapping[str, Any], field: str, shape: re.Pattern[str]) -> str:
    value = envelope.get(field)
    if not isinstance(value, str) or not shape.fullmatch(value):
        raise NotAnEvent(f"not a Stripe event: {field} is missing or has an unknown shape")
    return value


def _created(value: object) -> datetime:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LATEST:
        raise NotAnEvent("not a Stripe event: created is missing or is no time")
    return datetime.fromtimestamp(value, UTC)


def _livemode(value: object) -> bool:
    if not isinstance(value, bool):
        raise NotAnEvent("not a Stripe event: livemode is missing")
    return value


def _within(part: object, whole: object) -> bool:
    """Whether every value of ``part`` stands in ``whole``; hashes may be told in part."""
    if isinstance(part, Mapping) and isinstance(whole, Mapping):
        return all(key in whole and _within(value, whole[key]) for key, value in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) == len(whole) and all(map(_within, part, whole))
    return part == whole
