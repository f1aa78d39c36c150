"""An invoice's moves: lines added, finalised, paid, voided, given up (Stripe: "Invoices")."""

from . import customers, invoice_events, lines, payments
from .call import Call, Json
from .invoice_items import load as load_item
from .invoice_rows import load, load_draft
from .invoice_view import present
from .params import Field, Fields
from .refusals import ApiError, invalid, missing

FINALIZE: Fields = {"auto_advance": Field("boolean"), "expand": Field("array")}
PAY: Fields = {
    "expand": Field("array"),
    "off_session": Field("boolean"),
    "paid_out_of_band": Field("boolean"),
    "payment_method": Field(),
}
VOID: Fields = {"expand": Field("array")}
MARK_UNCOLLECTIBLE: Fields = VOID
ADD_LINES: Fields = {
    "expand": Field("array"),
    "lines": Field(
        "array",
        required=True,
        of=Field("object", fields={"invoice_item": Field(required=True)}),
    ),
}


def add_lines(call: Call) -> Json:
    """``POST /v1/invoices/{id}/add_lines``: pending items of the customer onto its draft."""
    draft = load_draft(call, call.object_id)
    wanted = [line["invoice_item"] for line in call.params["lines"]]
    if len(set(wanted)) < len(wanted):
        raise invalid("Each invoice item can only be added once.", "lines")
    for index, item_id in enumerate(wanted):
        param = f"lines[{index}][invoice_item]"
        try:
            item = load_item(call, item_id)
        except ApiError:
            raise missing("invoiceitem", item_id, param) from None
        if item["customer"] != draft["customer"]:
            raise missing("invoiceitem", item_id, param)
        if item["invoice"] is not None:
            raise invalid(
                f"The invoice item {item_id} is already attached to invoice {item['invoice']}.",
                param,
            )
        if item["currency"] != draft["currency"]:
            raise invalid(
                f"The currency of the invoice item ({item['currency']}) does not match the "
                f"currency of the invoice ({draft['currency']}).",
                param,
            )
    before = present(call, draft)
    lines.attach(call, draft["id"], wanted)
    return invoice_events.save(call, draft, before=before)


def finalize(call: Call) -> Json:
    """``POST /v1/invoices/{id}/finalize``: from now on its items cannot change.

    The customer's balance is applied; an invoice with nothing due is paid at once.
    """
    body = load(call, call.object_id)
    if body["status"] != "draft":
        raise invalid(
            "This invoice is already finalized, you can't re-finalize a non-draft invoice.",
            code="invoice_not_editable",
        )
    if "auto_advance" in call.params:
        body["auto_advance"] = call.params["auto_advance"]
    row = call.db.execute(
        "SELECT deleted FROM customers WHERE id = ?", (body["customer"],)
    ).fetchone()
    if not row["deleted"]:
        _number(call, body)
    body["status"] = "open"
    body["status_transitions"]["finalized_at"] = body["effective_at"] = call.now
    if not payments.is_due(call, body):
        return payments.paid(call, body, "invoice.finalized")
    if body["auto_advance"] and call.by == "api" and call.settings.renewals == "auto":
        body["next_payment_attempt"] = call.now
    return invoice_events.save(call, body, "invoice.finalized")


def pay(call: Call) -> Json:
    """``POST /v1/invoices/{id}/pay``: a draft is finalised first.

    Raises 402 ``card_declined`` for a payment method that fails (see :mod:`.payments`).
    """
    body = load(call, call.object_id)
    if body["status"] == "draft":
        finalize(call)
        body = load(call, call.object_id)
    elif body["status"] == "paid":
        raise ApiError(400, "Invoice is already paid")
    elif body["status"] == "void":
        raise ApiError(400, "Invoice is void and cannot be paid.")
    if body["status"] == "paid":
        return present(call, body)
    if call.params.get("paid_out_of_band"):
        body["paid_out_of_band"] = True
        body["attempted"], body["attempt_count"] = True, body["attempt_count"] + 1
        return payments.paid(call, body)
    method = call.params.get("payment_method")
    if not payments.attempt(call, body, method=method, scheduled=False):
        raise payments.declined()
    return present(call, body)


def void(call: Call) -> Json:
    """``POST /v1/invoices/{id}/void``: open and uncollectible ones."""
    return _leave(call, "void", "voided", "voided_at", ("open", "uncollectible"))


def mark_uncollectible(call: Call) -> Json:
    """``POST /v1/invoices/{id}/mark_uncollectible``: open ones."""
    return _leave(
        call, "uncollectible", "marked_uncollectible", "marked_uncollectible_at", ("open",)
    )


def _leave(call: Call, status: str, event: str, moment: str, allowed: tuple[str, ...]) -> Json:
    body = load(call, call.object_id)
    if body["status"] not in allowed:
        raise invalid(
            f"You can only pass in {' or '.join(allowed)} invoices. This invoice isn't "
            f"{' or '.join(allowed)}."
        )
    body["status"] = status
    body["status_transitions"][moment] = call.now
    body["next_payment_attempt"] = None
    return invoice_events.save(call, body, f"invoice.{event}")


def _number(call: Call, body: Json) -> None:
    """Give the invoice its number and settle it with the customer's balance (minor units)."""
    customer = customers.load(call, body["customer"])
    body["number"] = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04d}"
    customer["next_invoice_sequence"] += 1
    body["starting_balance"] = customer["balance"]
    left = min(0, lines.total(call, body["id"]) + customer["balance"])
    body["ending_balance"] = customer["balance"] = left
    customers.save(call, customer)
