"""A subscription's next period, with the draft of its scheduled invoice, and its other ends."""

import dataclasses

from . import charges, invoice_moves, invoice_rows, invoices, payments, subscription_rows
from .call import Call, Json
from .periods import next_boundary


def renew(call: Call, body: Json) -> Json:
    """Begin the next period, or the first after a trial, and return the draft of its invoice.

    The draft takes the pending items of the subscription and those without one (Stripe: create an
    invoice item, ``subscription``), and the prices of the period that begins.
    """
    items = body["items"]["data"]
    began = min(item["current_period_start"] for item in items)
    ended = max(item["current_period_end"] for item in items)
    for item in items:
        recurring = item["price"]["recurring"]
        item["current_period_start"] = item["current_period_end"]
        item["current_period_end"] = next_boundary(
            body["billing_cycle_anchor"], item["current_period_start"],
            recurring["interval"], recurring["interval_count"],
        )  # fmt: skip
    if body["status"] == "trialing":
        body["status"] = "active"
    draft = scheduled_invoice(call, body, reason="subscription_cycle", period=(began, ended))
    body["latest_invoice"] = draft["id"]
    subscription_rows.save(call, body)
    return draft


def scheduled_invoice(call: Call, body: Json, *, reason: str, period: tuple[int, int]) -> Json:
    """A draft for the subscription as its items now stand; ``period`` is the invoice's own."""
    quiet = dataclasses.replace(call, params={}, object_id="")
    is_kept = (body["pause_collection"] or {}).get("behavior") == "keep_as_draft"
    waits = body["status"] == "unpaid" or is_kept
    return invoices.collect(
        quiet, body["customer"], body["id"], reason=reason, currency=body["currency"],
        charged=charges.of_period(body), advances=call.settings.renewals == "auto" and not waits,
        period=period,
    )  # fmt: skip


def expire(call: Call, body: Json) -> None:
    """The first invoice was not paid in time: the subscription never was, its invoice is void."""
    body["status"], body["ended_at"] = "incomplete_expired", call.now
    subscription_rows.save(call, body)
    invoice = invoice_rows.row(call, body["latest_invoice"])
    if invoice is not None and invoice["status"] == "open":
        invoice_moves.void(dataclasses.replace(call, object_id=body["latest_invoice"]))


def ends_without_payment_method(call: Call, body: Json) -> bool:
    """A trial's end where nothing can be charged and ``trial_settings`` say so: True when done."""
    behavior = body["trial_settings"]["end_behavior"]["missing_payment_method"]
    if behavior == "create_invoice" or _can_be_charged(call, body):
        return False
    if behavior == "cancel":
        subscription_rows.end(call, body)
    else:
        body["status"] = "paused"
        subscription_rows.save(call, body, "customer.subscription.paused")
    return True


def _can_be_charged(call: Call, body: Json) -> bool:
    return payments.method_of(call, body["customer"], body) is not None
