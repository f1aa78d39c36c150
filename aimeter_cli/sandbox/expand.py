"""``expand[]``: ids replaced by their objects (Stripe: API reference, "Expanding Responses")."""

import dataclasses
from typing import Any

from . import customers, invoice_items, invoices, prices, products, subscriptions
from .call import Call, Handler, Json
from .refusals import ApiError, invalid

LOADERS: dict[str, Handler] = {
    "cus": customers.retrieve,
    "ii": invoice_items.retrieve,
    "in": invoices.retrieve,
    "price": prices.retrieve,
    "prod": products.retrieve,
    "sub": subscriptions.retrieve,
}


def expand(call: Call, body: Json) -> Json:
    """Replace what ``expand`` names, for example ``customer`` or ``data.invoice``.

    Raises the 400 for a name that holds no id.
    """
    for path in call.params.get("expand", []):
        if not _expand(call, body, path.split(".")):
            raise invalid(f"This property cannot be expanded ({path}).", "expand")
    return body


def _expand(call: Call, node: Any, steps: list[str]) -> bool:
    if isinstance(node, list):
        return all(_expand(call, element, steps) for element in node)
    if not isinstance(node, dict) or steps[0] not in node:
        return False
    value = node[steps[0]]
    if isinstance(value, str):
        loader = LOADERS.get(value.partition("_")[0])
        if loader is None:
            return False
        try:
            value = node[steps[0]] = loader(dataclasses.replace(call, object_id=value, params={}))
        except ApiError:
            return False
    if value is None or len(steps) == 1:
        return value is None or isinstance(value, dict)
    return _expand(call, value, steps[1:])
