"""What time does by itself, in order: trials and periods end, drafts finalise, payments are tried.

Sources: Stripe, "Subscription lifecycle", "Subscription invoices", "Trial periods". Only where the
setting ``renewals`` is ``auto``.
"""

import dataclasses
from collections.abc import Callable

from . import events, invoice_moves, invoice_rows, payments, renewals, subscription_rows, timers
from .call import Call, Json

Action = Callable[[Call], None]


def run(call: Call) -> int:
    """Do what has come due by ``call.now``, each at its own moment; returns how much that was."""
    if call.settings.renewals != "auto":
        return 0
    done = 0
    while (found := timers.due(call, call.now)) is not None:
        object_id, action, moment = found
        timers.done(call, object_id, action)
        _ACTIONS[action](dataclasses.replace(call, now=moment, object_id=object_id, params={}))
        done += 1
    return done


def _advance(call: Call) -> None:
    body = subscription_rows.load(call, call.object_id, "id")
    if body["status"] == "incomplete":
        renewals.expire(call, body)
    elif body["cancel_at"] is not None and body["cancel_at"] <= call.now:
        subscription_rows.end(call, body)
    elif body["status"] == "trialing" and renewals.ends_without_payment_method(call, body):
        return
    else:
        renewals.renew(call, body)


def _announce_trial_end(call: Call) -> None:
    body = subscription_rows.load(call, call.object_id, "id")
    events.emit(call, "customer.subscription.trial_will_end", body)


def _resume_collection(call: Call) -> None:
    body = subscription_rows.load(call, call.object_id, "id")
    body["pause_collection"] = None
    subscription_rows.save(call, body)


def _finalize(call: Call) -> None:
    """An hour after it was made (Stripe: "Subscription invoices"); then it is charged."""
    behavior = (_pause(call) or {}).get("behavior")
    invoice_moves.finalize(call)
    body = invoice_rows.load(call, call.object_id)
    if body["status"] != "open":
        return
    if behavior == "void":
        invoice_moves.void(call)
    elif behavior == "mark_uncollectible":
        invoice_moves.mark_uncollectible(call)
    elif body["collection_method"] == "charge_automatically":
        payments.attempt(call, body)


def _charge(call: Call) -> None:
    body = invoice_rows.load(call, call.object_id)
    payments.attempt(call, body)


def _pause(call: Call) -> Json | None:
    details = (invoice_rows.load(call, call.object_id)["parent"] or {}).get("subscription_details")
    if details is None:
        return None
    pause: Json | None = subscription_rows.load(call, details["subscription"], "id")[
        "pause_collection"
    ]
    return pause


_ACTIONS: dict[str, Action] = {
    "advance": _advance,
    "trial_will_end": _announce_trial_end,
    "resume_collection": _resume_collection,
    "finalize": _finalize,
    "charge": _charge,
}
