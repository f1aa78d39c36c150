"""The invoice object as the API shows it."""

from . import lines
from .call import Call, Json


def present(call: Call, body: Json) -> Json:
    """The invoice object: what is stored, with its lines and the sums over all of them."""
    shown = dict(body)
    elsewhere = shown.pop("paid_out_of_band")
    subtotal = lines.total(call, body["id"])
    due = max(0, subtotal + body["starting_balance"])
    paid = due if body["status"] == "paid" else 0
    return {
        **shown,
        "amount_due": due,
        "amount_paid": paid,
        "amount_paid_off_stripe": paid if elsewhere else 0,
        "amount_remaining": due - paid,
        "lines": lines.first(call, body["id"]),
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal,
        "total": subtotal,
        "total_excluding_tax": subtotal,
    }
