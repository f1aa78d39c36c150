"""Events as API versions before 2025-03-31.basil shape them (STRIPE.md, "Webhooks", the table).

Periods stand at the top of a subscription, an invoice and an item name their subscription at the
top, lines and items have a ``price`` instead of ``pricing``.
"""

import copy
from typing import Any

Json = dict[str, Any]

BASIL = "2025-03-31"

_PERIOD = ("current_period_start", "current_period_end")


def is_before_basil(version: str) -> bool:
    """Whether a version, ``YYYY-MM-DD`` or ``YYYY-MM-DD.name``, has the old shape."""
    return version[:10] < BASIL


def before_basil(data: Json) -> Json:
    """An event's ``data`` in the old shape; the argument stays as it is."""
    data = copy.deepcopy(data)
    body = data["object"]
    previous = data.get("previous_attributes")
    match body["object"]:
        case "subscription":
            if previous is not None:
                _previous_subscription(previous, body["items"]["data"])
            _subscription(body)
        case "invoice":
            _invoice(body)
        case "invoiceitem":
            _item(body)
    return data


def _subscription(body: Json) -> None:
    items = body["items"]["data"]
    for name in _PERIOD:
        body[name] = max((item[name] for item in items), default=body["created"])
    for item in items:
        _subscription_item(item)
    alone = items[0] if len(items) == 1 else None
    body["plan"] = alone["plan"] if alone else None
    body["quantity"] = alone["quantity"] if alone else None
    body["discount"] = None


def _subscription_item(item: Json) -> None:
    for name in _PERIOD:
        item.pop(name, None)
    item["plan"] = _plan(item["price"])


def _previous_subscription(previous: Json, now: list[Json]) -> None:
    """Periods to the top; items, and their plan, only where more than the period has changed."""
    before = previous.get("items", {}).get("data")
    if before is None:
        return
    ends = {name: max((i[name] for i in before), default=None) for name in _PERIOD}
    for name, value in ends.items():
        if value is not None and value != max((i[name] for i in now), default=None):
            previous[name] = value
    current = [{k: v for k, v in item.items() if k not in _PERIOD} for item in now]
    if [{k: v for k, v in item.items() if k not in _PERIOD} for item in before] == current:
        del previous["items"]
        return
    for item in before:
        _subscription_item(item)
    if len(before) == 1:
        previous["plan"] = before[0]["plan"]


def _invoice(body: Json) -> None:
    details = (body.pop("parent") or {}).get("subscription_details") or {}
    body["subscription"] = details.get("subscription")
    body["subscription_details"] = {"metadata": details.get("metadata")}
    body["paid"] = body["status"] == "paid"
    body["charge"] = body["payment_intent"] = body["tax"] = body["discount"] = None
    for line in body["lines"]["data"]:
        _line(line)


def _line(line: Json) -> None:
    parent = line.pop("parent")
    pricing = line.pop("pricing") or {}
    item = parent["subscription_item_details"]
    line["type"] = "subscription" if item else "invoiceitem"
    if item:
        line["subscription"] = item["subscription"]
        line["subscription_item"] = item["subscription_item"]
    else:
        line["invoice_item"] = parent["invoice_item_details"]["invoice_item"]
    line["price"] = _price_of(pricing, line["currency"])
    line["plan"] = _plan(line["price"]) if item else None
    line["proration"] = False


def _item(item: Json) -> None:
    parent, pricing = item.pop("parent") or {}, item.pop("pricing") or {}
    item["subscription"] = parent.get("subscription_details", {}).get("subscription")
    item["price"] = _price_of(pricing, item["currency"])
    item["unit_amount_decimal"] = pricing.get("unit_amount_decimal")


def _price_of(pricing: Json, currency: str) -> Json | None:
    details = pricing.get("price_details")
    if details is None:
        return None
    return {"id": details["price"], "object": "price", "currency": currency,
            "product": details["product"],
            "unit_amount_decimal": pricing["unit_amount_decimal"]}  # fmt: skip


def _plan(price: Json | None) -> Json | None:
    """The plan that stands for a price, with the price's id."""
    if price is None:
        return None
    recurring = price.get("recurring") or {}
    return {
        "id": price["id"],
        "object": "plan",
        "active": price.get("active", True),
        "amount": price.get("unit_amount"),
        "currency": price["currency"],
        "interval": recurring.get("interval"),
        "interval_count": recurring.get("interval_count"),
        "product": price["product"],
    }
