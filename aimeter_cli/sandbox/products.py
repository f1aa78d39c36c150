"""Products (Stripe: API reference, "Products")."""

import json

from .call import Call, Json
from .events import emit, emit_updated
from .identifiers import new_id
from .lists import PAGING, Selection, page, stored
from .params import Field, Fields, merged_metadata
from .refusals import ApiError, missing

URL = "/v1/products"

UPDATE: Fields = {
    "active": Field("boolean"),
    "description": Field(clearable=True),
    "expand": Field("array"),
    "metadata": Field("metadata"),
    "name": Field(),
}
CREATE: Fields = {
    **UPDATE,
    "description": Field(),
    "id": Field(),
    "name": Field(required=True),
}
RETRIEVE: Fields = {"expand": Field("array")}
LIST: Fields = {**PAGING, "active": Field("boolean"), "created": Field("range")}


def create(call: Call) -> Json:
    """``POST /v1/products``."""
    given = call.params
    if "id" in given and _find(call, given["id"]) is not None:
        raise ApiError(400, "Product already exists.", "resource_already_exists", "id")
    return define(call, given.get("id") or new_id("prod"), given["name"])


def define(call: Call, product_id: str, name: str) -> Json:
    """Make a product with what the parameters tell of it."""
    given = call.params
    body: Json = {
        "id": product_id,
        "object": "product",
        "active": given.get("active", True),
        "created": call.now,
        "default_price": None,
        "description": given.get("description"),
        "images": [],
        "livemode": False,
        "marketing_features": [],
        "metadata": merged_metadata({}, given),
        "name": name,
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": None,
        "tax_code": None,
        "unit_label": None,
        "updated": call.now,
        "url": None,
    }
    call.db.execute(
        "INSERT INTO products (id, active, created, body) VALUES (?, ?, ?, ?)",
        (product_id, body["active"], call.now, json.dumps(body)),
    )
    emit(call, "product.created", body)
    return body


def retrieve(call: Call) -> Json:
    """``GET /v1/products/{id}``."""
    return load(call, call.object_id, "id", 404)


def update(call: Call) -> Json:
    """``POST /v1/products/{id}``."""
    before, given = retrieve(call), call.params
    body = dict(before)
    body.update({name: given[name] for name in ("active", "description", "name") if name in given})
    body["metadata"] = merged_metadata(body["metadata"], given)
    body["updated"] = call.now
    call.db.execute(
        "UPDATE products SET active = ?, body = ? WHERE id = ?",
        (body["active"], json.dumps(body), body["id"]),
    )
    emit_updated(call, "product.updated", body, before)
    return body


def list_(call: Call) -> Json:
    """``GET /v1/products``."""
    selection = Selection("products", "product", URL)
    selection.equals(call, "active")
    selection.created(call)
    return page(call, selection, stored)


def load(call: Call, product_id: str, param: str = "product", status: int = 400) -> Json:
    """The product's JSON; raises ``resource_missing``."""
    found = _find(call, product_id)
    if found is None:
        raise missing("product", product_id, param, status)
    return found


def known(call: Call, product_id: str) -> bool:
    """Whether there is such a product."""
    return _find(call, product_id) is not None


def _find(call: Call, product_id: str) -> Json | None:
    row = call.db.execute("SELECT * FROM products WHERE id = ?", (product_id,)).fetchone()
    return None if row is None else stored(call, row)
