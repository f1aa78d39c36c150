"""When time changes an object next; :mod:`.schedule` does what is due."""

from .call import Call, Json

DAY = 86_400
TRIAL_NOTICE = 3 * DAY
"""``trial_will_end`` comes so long before (Stripe: "Trial periods")."""

INCOMPLETE = 23 * 3600
"""A first invoice that is unpaid for so long ends the subscription (Stripe: "incomplete")."""

_ENDED = ("canceled", "incomplete_expired", "paused")


def watch_subscription(call: Call, body: Json) -> None:
    """Note when the subscription's time comes: period or trial end, cancellation, expiry."""
    if body["status"] in _ENDED:
        forget(call, body["id"])
        return
    moments = [item["current_period_end"] for item in body["items"]["data"]]
    if body["cancel_at"] is not None:
        moments.append(body["cancel_at"])
    if body["status"] == "incomplete":
        moments = [body["created"] + INCOMPLETE]
    _set(call, body["id"], "advance", min(moments, default=None))
    resumes = (body["pause_collection"] or {}).get("resumes_at")
    _set(call, body["id"], "resume_collection", resumes)


def watch_trial(call: Call, body: Json) -> None:
    """Note when the end of the trial is to be announced, after it was set or changed."""
    trial_end = body["trial_end"] if body["status"] == "trialing" else None
    moment = None if trial_end is None else max(call.now, trial_end - TRIAL_NOTICE)
    _set(call, body["id"], "trial_will_end", moment)


def watch_invoice(call: Call, body: Json) -> None:
    """Note when the draft finalises, or when the next payment is tried."""
    finalizes = body["automatically_finalizes_at"] if body["status"] == "draft" else None
    charges = body["next_payment_attempt"] if body["status"] == "open" else None
    _set(call, body["id"], "finalize", finalizes)
    _set(call, body["id"], "charge", charges)


def forget(call: Call, object_id: str) -> None:
    """Time changes the object no more."""
    call.db.execute("DELETE FROM timers WHERE object = ?", (object_id,))


def done(call: Call, object_id: str, action: str) -> None:
    """What was due has been seen to."""
    _set(call, object_id, action, None)


def due(call: Call, until: int) -> tuple[str, str, int] | None:
    """The first that is due by ``until``: object, action, moment."""
    row = call.db.execute(
        "SELECT object, action, at FROM timers WHERE at <= ? ORDER BY at, rowid LIMIT 1", (until,)
    ).fetchone()
    return None if row is None else (row["object"], row["action"], row["at"])


def _set(call: Call, object_id: str, action: str, at: int | None) -> None:
    if at is None:
        call.db.execute("DELETE FROM timers WHERE object = ? AND action = ?", (object_id, action))
    else:
        call.db.execute(
            "INSERT INTO timers VALUES (?, ?, ?)"
            " ON CONFLICT (object, action) DO UPDATE SET at = excluded.at",
            (object_id, action, at),
        )
