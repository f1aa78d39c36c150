"""A subscription's changes (Stripe: API reference, update and resume a subscription).

Nothing is prorated: a changed price counts from the next invoice on.
"""

from . import customers, renewals, subscriptions
from .call import Call, Json
from .params import Field, Fields, merged_metadata
from .periods import period_end
from .refusals import invalid, missing
from .subscription_rows import load, save

_ITEM = Field(
    "object",
    fields={
        "deleted": Field("boolean"),
        "id": Field(),
        "metadata": Field("metadata"),
        "price": Field(),
        "quantity": Field("integer"),
    },
)
UPDATE: Fields = {
    **subscriptions.SHARED,
    "cancellation_details": Field("object", fields={"comment": Field(clearable=True)}),
    "default_payment_method": Field(clearable=True),
    "items": Field("array", of=_ITEM),
    "pause_collection": Field(
        "object",
        clearable=True,
        fields={
            "behavior": Field(
                "enum", required=True, choices=("keep_as_draft", "mark_uncollectible", "void")
            ),
            "resumes_at": Field("integer"),
        },
    ),
}
RESUME: Fields = {
    "billing_cycle_anchor": Field("enum", choices=("now", "unchanged")),
    "expand": Field("array"),
    "proration_behavior": Field("enum", choices=("none",)),
}


def update(call: Call) -> Json:
    """``POST /v1/subscriptions/{id}``, until it has ended."""
    body, given = load(call, call.object_id, "id", 404), call.params
    if body["status"] in ("canceled", "incomplete_expired"):
        raise missing("subscription", call.object_id, "id", 404)
    for name in ("collection_method", "days_until_due", "default_payment_method", "description",
                 "trial_settings"):  # fmt: skip
        if name in given:
            body[name] = given[name]
    body["cancellation_details"].update(given.get("cancellation_details", {}))
    if "pause_collection" in given:
        pause = given["pause_collection"]
        body["pause_collection"] = None if pause is None else {"resumes_at": None, **pause}
    if "items" in given:
        _change_items(call, body)
    if "trial_end" in given:
        _change_trial(call, body, given["trial_end"])
    _change_cancellation(call, body)
    body["metadata"] = merged_metadata(body["metadata"], given)
    save(call, body)
    if given.get("trial_end") == "now" and body["trial_end"] == call.now:
        renewals.renew(call, body)
    return body


def resume(call: Call) -> Json:
    """``POST /v1/subscriptions/{id}/resume``: a paused one; its period begins now."""
    body = load(call, call.object_id, "id", 404)
    if body["status"] != "paused":
        raise invalid("You can only resume a subscription that is paused.")
    body["status"] = "active"
    if call.params.get("billing_cycle_anchor") != "unchanged":
        _restart(call, body)
    save(call, body, "customer.subscription.resumed")
    return body


def _change_items(call: Call, body: Json) -> None:
    """Add, change and delete items; another interval starts the period anew."""
    customer = customers.load(call, body["customer"])
    items = body["items"]["data"]
    intervals = _intervals(items)
    for index, entry in enumerate(call.params["items"]):
        param = f"items[{index}]"
        item = next((i for i in items if i["id"] == entry.get("id")), None)
        if item is None and "id" in entry:
            raise missing("subscription_item", entry["id"], f"{param}[id]")
        if item is None and "price" not in entry:
            raise invalid(f"Missing required param: {param}[price].", f"{param}[price]",
                          "parameter_missing")  # fmt: skip
        if entry.get("deleted"):
            items[:] = [each for each in items if each is not item]
        elif item is None:
            made = subscriptions.new_item(call, body["id"], customer, f"{param}[price]", entry)
            _take_period(made, items)
            items.append(made)
        else:
            _change_item(call, body, customer, item, entry, f"{param}[price]")
    if not items:
        raise invalid("A subscription must have at least one active plan.", "items")
    if any(item["price"]["currency"] != body["currency"] for item in items):
        raise invalid("All prices on a subscription must have the same currency.", "items")
    if _intervals(items) != intervals and body["status"] != "trialing":
        _restart(call, body)


def _change_item(
    call: Call, body: Json, customer: Json, item: Json, entry: Json, param: str
) -> None:
    if "price" in entry:
        made = subscriptions.new_item(call, body["id"], customer, param, entry)
        item["price"] = made["price"]
    item["quantity"] = entry.get("quantity", item["quantity"])
    item["metadata"] = merged_metadata(item["metadata"], entry)


def _take_period(item: Json, items: list[Json]) -> None:
    if items and _intervals([item]) == _intervals(items[:1]):
        for name in ("current_period_start", "current_period_end"):
            item[name] = items[0][name]


def _intervals(items: list[Json]) -> set[tuple[str, int]]:
    return {
        (item["price"]["recurring"]["interval"], item["price"]["recurring"]["interval_count"])
        for item in items
    }


def _restart(call: Call, body: Json) -> None:
    body["billing_cycle_anchor"] = call.now
    for item in body["items"]["data"]:
        recurring = item["price"]["recurring"]
        item["current_period_start"] = call.now
        item["current_period_end"] = period_end(
            call.now, recurring["interval"], recurring["interval_count"]
        )


def _change_trial(call: Call, body: Json, ends: int | str) -> None:
    """A new end; ``now`` ends it, so that the first period begins."""
    if ends != "now":
        subscriptions.start_trial(call, body, int(ends))
    elif body["status"] == "trialing":
        body["trial_end"] = body["billing_cycle_anchor"] = call.now
        for item in body["items"]["data"]:
            item["current_period_end"] = call.now


def _change_cancellation(call: Call, body: Json) -> None:
    given = call.params
    if "cancel_at" in given and given.get("cancel_at_period_end"):
        raise invalid("You can't set both `cancel_at` and `cancel_at_period_end`.", "cancel_at")
    if given.get("cancel_at_period_end"):
        if not body["cancel_at_period_end"]:
            subscriptions.ask_to_cancel(call, body)
    elif given.get("cancel_at"):
        body["cancel_at"], body["cancel_at_period_end"] = given["cancel_at"], False
        body["canceled_at"] = call.now
        body["cancellation_details"]["reason"] = "cancellation_requested"
    elif "cancel_at" in given or ("cancel_at_period_end" in given and body["cancel_at_period_end"]):
        body["cancel_at"] = body["canceled_at"] = None
        body["cancel_at_period_end"] = False
        body["cancellation_details"]["reason"] = None
