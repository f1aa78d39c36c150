"""Payments: whether they succeed, and what becomes of invoice and subscription.

Every payment succeeds, but with a payment method that fails (Stripe: "Testing", declined payments);
a control endpoint gives a customer one. Attempts are repeated after days (Stripe: "Smart Retries",
custom schedule); what follows the last one is the setting ``after_retries``.
"""

from . import customers, invoice_events, lines, subscription_rows
from .call import Call, Json
from .refusals import ApiError
from .timers import DAY

FAILING = (
    "pm_card_chargeCustomerFail", "pm_card_chargeDeclined",
    "pm_card_chargeDeclinedInsufficientFunds", "pm_card_visa_chargeDeclined",
)  # fmt: skip
WORKING = "pm_card_visa"

RETRY_DAYS = (3, 5, 7)
"""Days from each failed attempt to the next."""


def fail_from_now_on(call: Call, customer_id: str, fails: bool = True) -> Json:
    """Give a customer a payment method whose payments fail, or one whose payments succeed."""
    body = customers.load(call, customer_id)
    body["invoice_settings"]["default_payment_method"] = FAILING[0] if fails else WORKING
    customers.save(call, body)
    return body


def method_of(call: Call, customer_id: str, subscription: Json | None) -> str | None:
    """The payment method that is charged: the subscription's own, else the customer's."""
    own = (subscription or {}).get("default_payment_method")
    if own is None:
        row = call.db.execute(
            "SELECT json_extract(body, '$.invoice_settings.default_payment_method') AS method"
            " FROM customers WHERE id = ?",
            (customer_id,),
        ).fetchone()
        own = row["method"]
    return None if own is None else str(own)


def attempt(call: Call, body: Json, *, method: str | None = None, scheduled: bool = True) -> bool:
    """Charge an open invoice; True when it is paid. ``scheduled``: a failure plans the next try."""
    subscription = _subscription(call, body)
    body["attempted"], body["attempt_count"] = True, body["attempt_count"] + 1
    if (method or method_of(call, body["customer"], subscription)) not in FAILING:
        paid(call, body)
        return True
    if scheduled:
        done = body["attempt_count"] - 1
        later = done < len(RETRY_DAYS) and _is_retried(body, subscription)
        body["next_payment_attempt"] = call.now + RETRY_DAYS[done] * DAY if later else None
    invoice_events.save(call, body, "invoice.payment_failed")
    if subscription is not None:
        _unpaid(call, subscription, gave_up=body["next_payment_attempt"] is None and scheduled)
    return False


def paid(call: Call, body: Json, *kinds: str, before: Json | None = None) -> Json:
    """The invoice is paid now, and its subscription in order again; returns the invoice object.

    ``kinds`` are events to be told first.
    """
    body["status"], body["auto_advance"] = "paid", False
    body["next_payment_attempt"] = None
    body["status_transitions"]["paid_at"] = call.now
    shown = invoice_events.save(
        call, body, *kinds, "invoice.paid", "invoice.payment_succeeded", before=before
    )
    subscription = _subscription(call, body)
    late = ("incomplete", "past_due", "unpaid")
    if subscription is not None and subscription["status"] in late and _is_last(call, body):
        subscription["status"] = "active"
        subscription_rows.save(call, subscription)
    return shown


def is_due(call: Call, body: Json) -> bool:
    """Whether anything is left to pay on the invoice."""
    return lines.total(call, body["id"]) + int(body["starting_balance"]) > 0


def declined(*, keeps: bool = True) -> ApiError:
    """402 ``card_declined``; ``keeps``: the attempt has been made all the same."""
    return ApiError(402, "Your card was declined.", "card_declined", kind="card_error", keeps=keeps)


def _is_retried(body: Json, subscription: Json | None) -> bool:
    return bool(body["auto_advance"]) and (subscription or {}).get("status") != "incomplete"


def _unpaid(call: Call, subscription: Json, *, gave_up: bool) -> None:
    if subscription["status"] not in ("active", "trialing", "past_due"):
        return
    if gave_up and call.settings.after_retries == "canceled":
        subscription_rows.end(call, subscription, "payment_failed")
        return
    subscription["status"] = call.settings.after_retries if gave_up else "past_due"
    subscription_rows.save(call, subscription)


def _subscription(call: Call, body: Json) -> Json | None:
    details = (body["parent"] or {}).get("subscription_details")
    return None if details is None else subscription_rows.load(call, details["subscription"], "id")


def _is_last(call: Call, body: Json) -> bool:
    """Whether no later invoice of its subscription is open."""
    row = call.db.execute(
        "SELECT 1 FROM invoices WHERE subscription = ? AND status = 'open' AND deleted = 0"
        " AND n > (SELECT n FROM invoices WHERE id = ?)",
        (body["parent"]["subscription_details"]["subscription"], body["id"]),
    ).fetchone()
    return row is None
