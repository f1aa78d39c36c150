"""Prices (Stripe: API reference, "Prices").

A price of an unknown id is made on its first use: 0.00 a month in the customer's currency, or in
US dollars. The API and a control endpoint define others.
"""

import dataclasses
import json
from typing import Any

from . import products
from .call import Call, Json
from .events import emit, emit_updated
from .identifiers import new_id
from .lists import PAGING, Selection, page, stored
from .params import Field, Fields, merged_metadata
from .refusals import invalid, missing

URL = "/v1/prices"

INTERVALS = ("day", "week", "month", "year")

_RECURRING = Field(
    "object",
    fields={
        "interval": Field("enum", required=True, choices=INTERVALS),
        "interval_count": Field("integer"),
    },
)
CREATE: Fields = {
    "active": Field("boolean"),
    "currency": Field("currency", required=True),
    "expand": Field("array"),
    "lookup_key": Field(),
    "metadata": Field("metadata"),
    "nickname": Field(),
    "product": Field(),
    "product_data": Field("object", fields={"name": Field(required=True)}),
    "recurring": _RECURRING,
    "unit_amount": Field("integer"),
}
UPDATE: Fields = {
    "active": Field("boolean"),
    "expand": Field("array"),
    "lookup_key": Field(),
    "metadata": Field("metadata"),
    "nickname": Field(clearable=True),
}
RETRIEVE: Fields = {"expand": Field("array")}
LIST: Fields = {
    **PAGING,
    "active": Field("boolean"),
    "created": Field("range"),
    "currency": Field("currency"),
    "lookup_keys": Field("array"),
    "product": Field(),
    "type": Field("enum", choices=("one_time", "recurring")),
}


def create(call: Call) -> Json:
    """``POST /v1/prices``, for a product that there is or that ``product_data`` names."""
    given = call.params
    if ("product" in given) == ("product_data" in given):
        raise invalid("You must specify either `product` or `product_data` when creating a price.",
                      "product")  # fmt: skip
    if "unit_amount" not in given:
        raise invalid("Missing required param: unit_amount.", "unit_amount", "parameter_missing")
    if given["unit_amount"] < 0:
        raise invalid("Invalid integer: must be greater than or equal to 0.", "unit_amount",
                      "parameter_invalid_integer")  # fmt: skip
    if "product" in given:
        product = products.load(call, given["product"])["id"]
    else:
        quiet = dataclasses.replace(call, params={})
        product = products.define(quiet, new_id("prod"), given["product_data"]["name"])["id"]
    recurring = given.get("recurring")
    body = _new(
        call, new_id("price"), given["currency"], given["unit_amount"], product,
        (recurring["interval"], recurring.get("interval_count", 1)) if recurring else None,
    )  # fmt: skip
    body["active"] = given.get("active", True)
    body["lookup_key"], body["nickname"] = given.get("lookup_key"), given.get("nickname")
    body["metadata"] = merged_metadata({}, given)
    _write(call, body)
    emit(call, "price.created", body)
    return body


def retrieve(call: Call) -> Json:
    """``GET /v1/prices/{id}``."""
    found = _find(call, call.object_id)
    if found is None:
        raise missing("price", call.object_id, "id", 404)
    return found


def update(call: Call) -> Json:
    """``POST /v1/prices/{id}``: amount, currency and interval stay for ever."""
    before, given = retrieve(call), call.params
    body = dict(before)
    body.update(
        {name: given[name] for name in ("active", "lookup_key", "nickname") if name in given}
    )
    body["metadata"] = merged_metadata(body["metadata"], given)
    call.db.execute("UPDATE prices SET body = ? WHERE id = ?", (json.dumps(body), body["id"]))
    emit_updated(call, "price.updated", body, before)
    return body


def list_(call: Call) -> Json:
    """``GET /v1/prices``."""
    names = ("active", "created", "currency", "lookup_key", "product", "type")
    columns = ", ".join(f"json_extract(body, '$.{name}') AS {name}" for name in names)
    selection = Selection(
        f"(SELECT rowid AS n, id, body, 0 AS deleted, {columns} FROM prices)", "price", URL
    )
    selection.equals(call, "active", "currency", "product", "type")
    selection.created(call)
    if "lookup_keys" in call.params:
        keys = call.params["lookup_keys"]
        selection.where(f"lookup_key IN ({', '.join('?' * len(keys))})", *keys)
    return page(call, selection, stored)


def define(
    call: Call,
    price_id: str,
    *,
    currency: str = "usd",
    unit_amount: int = 0,
    interval: str | None = "month",
    interval_count: int = 1,
    product: str | None = None,
) -> Json:
    """Make or replace a price; ``interval`` None makes a one-off price. Amount in minor units."""
    if interval is not None and interval not in INTERVALS:
        raise ValueError(f"interval must be one of {', '.join(INTERVALS)}")
    product = product or new_id("prod")
    if not products.known(call, product):
        products.define(dataclasses.replace(call, params={}), product, f"Product of {price_id}")
    recurring = None if interval is None else (interval, interval_count)
    body = _new(call, price_id, currency, unit_amount, product, recurring)
    before = _find(call, price_id)
    _write(call, body)
    if before is None:
        emit(call, "price.created", body)
    else:
        emit_updated(call, "price.updated", body, before)
    return body


def load(call: Call, price_id: str, param: str, currency: str | None) -> Json:
    """The price of that id, made on the spot when it is new.

    Raises ``resource_missing`` for an id that is not shaped like a price's.
    """
    found = _find(call, price_id)
    if found is not None:
        return found
    if not price_id.startswith("price_"):
        raise missing("price", price_id, param)
    return define(call, price_id, currency=currency or "usd")


def _find(call: Call, price_id: str) -> Json | None:
    row = call.db.execute("SELECT body FROM prices WHERE id = ?", (price_id,)).fetchone()
    return None if row is None else stored(call, row)


def _write(call: Call, body: Json) -> None:
    call.db.execute("INSERT OR REPLACE INTO prices VALUES (?, ?)", (body["id"], json.dumps(body)))


def _new(
    call: Call,
    price_id: str,
    currency: str,
    unit_amount: int,
    product: str,
    every: tuple[str, int] | None,
) -> Json:
    recurring: dict[str, Any] | None = None
    if every is not None:
        recurring = {
            "interval": every[0],
            "interval_count": every[1],
            "meter": None,
            "usage_type": "licensed",
        }
    return {
        "id": price_id,
        "object": "price",
        "active": True,
        "billing_scheme": "per_unit",
        "created": call.now,
        "currency": currency,
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": None,
        "metadata": {},
        "nickname": None,
        "product": product,
        "recurring": recurring,
        "tax_behavior": "unspecified",
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "one_time" if recurring is None else "recurring",
        "unit_amount": unit_amount,
        "unit_amount_decimal": str(unit_amount),
    }
