"""The ledger: every request that arrived, and every change of an item's amount.

It is the oracle of the tests: what the sandbox did, whatever the client was told.
"""

import json
import sqlite3
from typing import Any

from .call import Call, Json
from .form import Pairs


def arrive(
    db: sqlite3.Connection,
    *,
    time: float,
    method: str,
    path: str,
    form: Pairs,
    key: str | None,
    customer: str | None,
    request_id: str,
    fault: str | None,
) -> int:
    """Note a request on arrival and return its sequence number."""
    cursor = db.execute(
        "INSERT INTO ledger (time, method, path, form, idempotency_key, customer, request_id,"
        " fault) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (time, method, path, json.dumps(form), key, customer, request_id, fault),
    )
    return int(cursor.lastrowid or 0)


def conclude(
    db: sqlite3.Connection,
    seq: int,
    *,
    told: int | None,
    outcome: int | None,
    error: str | None = None,
    replayed: bool = False,
    executed_at: float | None = None,
) -> None:
    """Note what became of it.

    ``told`` is the status that the client was sent (None: it got no answer), ``outcome`` the status
    that the API arrived at (None: the request never got that far), ``error`` its error code.
    """
    db.execute(
        "UPDATE ledger SET status = ?, outcome = ?, error = ?, replayed = ?, executed = ?,"
        " executed_at = ? WHERE seq = ?",
        (told, outcome, error, replayed, executed_at is not None, executed_at, seq),
    )


def not_applied(db: sqlite3.Connection, seq: int) -> None:
    """Take back the fault of a request that it could not strike, since the answer was stored."""
    db.execute("UPDATE ledger SET fault = NULL WHERE seq = ?", (seq,))


def effect(call: Call, kind: str, item: Json, old: int | None, new: int | None) -> None:
    """Note that ``item``'s amount (minor units; None = does not exist) went from old to new."""
    call.db.execute(
        "INSERT INTO effects (time, kind, item, customer, currency, old, new, request, by)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            call.now, kind, item["id"], item["customer"], item["currency"], old, new, call.request,
            call.by,
        ),
    )  # fmt: skip


def requests(db: sqlite3.Connection, after: int = 0) -> list[dict[str, Any]]:
    """The requests with a sequence number above ``after``, in order of arrival."""
    rows = db.execute("SELECT * FROM ledger WHERE seq > ? ORDER BY seq", (after,))
    return [
        {
            **dict(row),
            "form": json.loads(row["form"]),
            "replayed": bool(row["replayed"]),
            "executed": bool(row["executed"]),
        }
        for row in rows
    ]


def effects(db: sqlite3.Connection, after: int = 0) -> list[dict[str, Any]]:
    """The effects with a number above ``after``, in order of execution."""
    rows = db.execute("SELECT * FROM effects WHERE n > ? ORDER BY n", (after,))
    return [dict(row) for row in rows]
