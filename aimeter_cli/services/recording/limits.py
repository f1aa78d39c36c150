"""The events about limits: each once in the period of a counter."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlmodel import Session

from aimeter_cli.db.prepared import Row
from aimeter_cli.domain.allowance import Limit, limits_of, tightest
from aimeter_cli.domain.events import EventName
from aimeter_cli.domain.periods import iso
from aimeter_cli.domain.quota import Terms, Totals
from aimeter_cli.repositories.outbox import emit
from aimeter_cli.settings.table import Settings


def tell_limits(
    session: Session,
    settings: Settings,
    counter: Row,
    plan: Callable[[], str],
    terms: Terms,
    totals: Totals,
    now: datetime,
) -> dict[str, datetime]:
    """LimitReached or LimitApproaching, unless told before; the marks to set on the counter.

    About the limit of which most is used. ``counter`` is locked; ``plan`` tells the slug of its
    plan; ``terms`` hold for what was counted last.
    """
    most = tightest(limits_of(terms, totals))
    if most is None:
        return {}
    if most.is_reached:
        name, mark = EventName.LIMIT_REACHED, "reached_at"
    elif most.percent >= settings.limit_approaching_percent:
        name, mark = EventName.LIMIT_APPROACHING, "approached_at"
    else:
        return {}
    if counter[mark] is not None:
        return {}
    payload = {
        **_figures(most),
        "plan": plan(),
        "currency": counter["currency"] if most.kind == "cost" else None,
        "period_start": iso(counter["period_start"]),
        "period_end": iso(counter["period_end"]),
        "plan_id": counter["plan_id"],
        "counter_id": counter["id"],
    }
    emit(session, name, billable_id=counter["billable_id"], now=now, payload=payload)
    return {mark: now}


def _figures(limit: Limit) -> dict[str, str | int]:
    """Counts as numbers; cost in major units, as text."""
    used, most = limit.used, limit.limit
    return {
        "kind": limit.kind,
        "used": used if isinstance(used, int) else f"{used:.9f}",
        "limit": most if isinstance(most, int) else f"{most:.9f}",
        "percent": int(limit.percent),
    }
