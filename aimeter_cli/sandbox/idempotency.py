"""Idempotency keys (Stripe: API reference, "Idempotent requests"; STRIPE.md).

A key belongs to the account. Status and body are kept once execution has begun, whatever they are,
and given again to a request with the same method, path and parameters.
"""

import hashlib
import json
import sqlite3
from dataclasses import dataclass

from .form import Pairs
from .refusals import ApiError, invalid

MAX_LENGTH = 255


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a key: whose it is, and the endpoint and parameters it is used with."""

    account: str
    key: str
    path: str
    params: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored answer and the id of the request that it was first given to."""

    status: int
    body: bytes
    request_id: str


def check_key(key: str) -> None:
    """Raise the 400 for a key that is too long."""
    if len(key) > MAX_LENGTH:
        raise invalid(
            f"Idempotency keys can be at most {MAX_LENGTH} characters, but you passed in a key "
            f"that is {len(key)} characters.",
        )


def digest(form: Pairs) -> str:
    """A fingerprint of the parameters, whatever their order."""
    return hashlib.sha256(json.dumps(sorted(form)).encode()).hexdigest()


def find(db: sqlite3.Connection, use: Use, now: float, retention: float | None) -> Kept | None:
    """The stored answer for a key, None when it is new or forgotten.

    Raises 400 ``idempotency_error`` when it was used with another path or other parameters.
    """
    row = db.execute(
        "SELECT * FROM keys WHERE account = ? AND key = ?", (use.account, use.key)
    ).fetchone()
    if row is None:
        return None
    if retention is not None and now - row["created"] >= retention:
        db.execute("DELETE FROM keys WHERE account = ? AND key = ?", (use.account, use.key))
        return None
    other = f"Try using a key other than '{use.key}' if you meant to execute a different request."
    if row["path"] != use.path:
        raise ApiError(
            400,
            "Keys for idempotent requests can only be used for the same endpoint they were first "
            f"used for ('{use.path}' vs '{row['path']}'). {other}",
            kind="idempotency_error",
        )
    if row["params"] != use.params:
        raise ApiError(
            400,
            "Keys for idempotent requests can only be used with the same parameters they were "
            f"first used with. {other}",
            kind="idempotency_error",
        )
    return Kept(row["status"], row["body"], row["request_id"])


def keep(db: sqlite3.Connection, use: Use, now: float, answer: Kept) -> None:
    """Store the answer of an execution under its key."""
    db.execute(
        "INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            use.account,
            use.key,
            use.path,
            use.params,
            answer.status,
            answer.body,
            answer.request_id,
            now,
        ),
    )
