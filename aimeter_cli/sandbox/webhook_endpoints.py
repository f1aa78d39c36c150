"""Webhook endpoints (Stripe: API reference, "Webhook Endpoints")."""

import json
import re

from .call import Call, Json
from .identifiers import new_id
from .lists import PAGING, Selection, page, stored
from .params import Field, Fields, merged_metadata
from .refusals import invalid, missing

URL = "/v1/webhook_endpoints"

UPDATE: Fields = {
    "description": Field(clearable=True),
    "disabled": Field("boolean"),
    "enabled_events": Field("array"),
    "expand": Field("array"),
    "metadata": Field("metadata"),
    "url": Field(),
}
CREATE: Fields = {
    "api_version": Field(),
    "description": Field(clearable=True),
    "enabled_events": Field("array", required=True),
    "expand": Field("array"),
    "metadata": Field("metadata"),
    "url": Field(required=True),
}
RETRIEVE: Fields = {"expand": Field("array")}
DELETE: Fields = {}
LIST: Fields = PAGING

_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?")
_TYPE = re.compile(r"\*|[a-z0-9_]+(\.[a-z0-9_]+)+")


def create(call: Call) -> Json:
    """``POST /v1/webhook_endpoints``: the only answer that tells the endpoint's ``secret``.

    ``api_version`` is the shape of its events; without it they have that of the account.
    """
    given = call.params
    version = given.get("api_version")
    if version is not None and not _VERSION.fullmatch(version):
        raise invalid(f"Invalid API version: {version}", "api_version")
    _check(given)
    secret = new_id("whsec")
    body: Json = {
        "id": new_id("we"),
        "object": "webhook_endpoint",
        "api_version": version,
        "application": None,
        "created": call.now,
        "description": given.get("description"),
        "enabled_events": given["enabled_events"],
        "livemode": False,
        "metadata": merged_metadata({}, given),
        "status": "enabled",
        "url": given["url"],
    }
    call.db.execute(
        "INSERT INTO endpoints (id, secret, created, body) VALUES (?, ?, ?, ?)",
        (body["id"], secret, call.now, json.dumps(body)),
    )
    return {**body, "secret": secret}


def retrieve(call: Call) -> Json:
    """``GET /v1/webhook_endpoints/{id}``, without the secret."""
    row = call.db.execute(
        "SELECT * FROM endpoints WHERE id = ? AND deleted = 0", (call.object_id,)
    ).fetchone()
    if row is None:
        raise missing("webhook endpoint", call.object_id, "id", 404)
    return stored(call, row)


def update(call: Call) -> Json:
    """``POST /v1/webhook_endpoints/{id}``; a disabled one is sent nothing."""
    body, given = retrieve(call), call.params
    _check(given)
    body.update({name: given[name] for name in ("description", "enabled_events", "url")
                 if name in given})  # fmt: skip
    if "disabled" in given:
        body["status"] = "disabled" if given["disabled"] else "enabled"
    body["metadata"] = merged_metadata(body["metadata"], given)
    call.db.execute(
        "UPDATE endpoints SET body = ? WHERE id = ?", (json.dumps(body), call.object_id)
    )
    return body


def delete(call: Call) -> Json:
    """``DELETE /v1/webhook_endpoints/{id}``; what it has not taken stays undelivered."""
    body = retrieve(call)
    call.db.execute("UPDATE endpoints SET deleted = 1 WHERE id = ?", (body["id"],))
    return {"id": body["id"], "object": "webhook_endpoint", "deleted": True}


def list_(call: Call) -> Json:
    """``GET /v1/webhook_endpoints``."""
    return page(call, Selection("endpoints", "webhook endpoint", URL), stored)


def secret_of(call: Call, url: str) -> str | None:
    """The secret of the endpoint of that URL, None when there is none."""
    row = call.db.execute(
        "SELECT secret FROM endpoints WHERE json_extract(body, '$.url') = ? AND deleted = 0", (url,)
    ).fetchone()
    return None if row is None else str(row["secret"])


def _check(given: Json) -> None:
    url, kinds = given.get("url"), given.get("enabled_events")
    if url is not None and not url.startswith(("http://", "https://")):
        raise invalid("Invalid URL: URL must be an explicit HTTP or HTTPS address.", "url")
    if kinds == []:
        raise invalid("You must specify at least one event.", "enabled_events")
    for index, kind in enumerate(kinds or ()):
        if not _TYPE.fullmatch(kind):
            raise invalid(f"Invalid event type: {kind}", f"enabled_events[{index}]")
