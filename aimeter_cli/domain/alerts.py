"""What an operator is told of: what happened once, and conditions that begin and end.

A condition is open while it holds, and until it has been gone for ``resolve_after``, so that one
that comes and goes is told once. :func:`next_step` decides; no database, no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal

from aimeter_cli.domain.events import EventName
from aimeter_cli.domain.money import display

HINT = "hint"
DETAIL = "detail"


class AlertKind(StrEnum):
    """What ``kinds`` of an ``[[alerts]]`` may name."""

    PAYMENT_FAILED = "payment_failed"
    SUBSCRIPTION_EXPIRED = "subscription_expired"
    LIMIT_APPROACHING = "limit_approaching"
    LIMIT_REACHED = "limit_reached"
    SYNC_FAILING = "sync_failing"
    SYNC_PAUSED = "sync_paused"
    JOB_SILENT = "job_silent"
    OVERAGES_BLOCKED = "overages_blocked"
    OVERAGES_STRANDED = "overages_stranded"
    WEBHOOK_SILENCE = "webhook_silence"
    WEBHOOKS_FAILING = "webhooks_failing"
    RATES_STALE = "rates_stale"
    RATES_HELD = "rates_held"
    WALLET_LOW = "wallet_low"


ONCE: dict[EventName, AlertKind] = {
    EventName.PAYMENT_FAILED: AlertKind.PAYMENT_FAILED,
    EventName.SUBSCRIPTION_EXPIRED: AlertKind.SUBSCRIPTION_EXPIRED,
    EventName.LIMIT_APPROACHING: AlertKind.LIMIT_APPROACHING,
    EventName.LIMIT_REACHED: AlertKind.LIMIT_REACHED,
}
"""Told as they happen, by events that there are anyway; nothing is open afterwards."""

CONDITIONS = frozenset(AlertKind) - frozenset(ONCE.values())
NOT_REPEATED = frozenset({AlertKind.WALLET_LOW})
"""Of one customer, not of the operation: no reminders."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something holds now. ``subject`` tells apart several of a kind.

    ``detail`` says what, in one sentence, ``hint`` what to type. ``begins`` False: it keeps an
    alert open, and opens none.
    """

    kind: AlertKind
    detail: str
    hint: str | None = None
    subject: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    billable_id: int | None = None
    begins: bool = True

    @property
    def key(self) -> tuple[str, str]:
        return self.kind.value, self.subject

    @property
    def document(self) -> dict[str, Any]:
        """What is kept of it, JSON."""
        return {**self.facts, DETAIL: self.detail, HINT: self.hint}


Step = Literal["remind", "keep", "return", "wait", "leave", "close"]
"""For an open alert. ``keep``: it goes on; ``return``: it had been gone; ``leave``: it is gone now;
``wait``: not for long enough yet."""


def next_step(
    *,
    holds: bool,
    kind: str,
    last_told_at: datetime,
    gone_at: datetime | None,
    now: datetime,
    repeat: timedelta,
    resolve_after: timedelta,
) -> Step:
    """What becomes of an open alert, its condition still holding or not."""
    if holds:
        is_due = kind not in NOT_REPEATED and now - last_told_at >= repeat
        return "remind" if is_due else "keep" if gone_at is None else "return"
    if gone_at is None:
        return "leave" if resolve_after else "close"
    return "close" if now - gone_at >= resolve_after else "wait"


def in_words(name: EventName, billable: str | None, data: Mapping[str, Any]) -> str:
    """An event as a person reads it: a line, and a second one with what to type.

    Text from outside is on one line, without control characters.
    """
    first, *more = _WORDS[name](billable or "?", data)
    lines = [f"[aimeter] {first}", *(line for line in more if line)]
    return "\n".join(one_line(line) for line in lines)


def one_line(text: str) -> str:
    """Control characters, line breaks and bidi controls become blanks."""
    return "".join(each if each.isprintable() else " " for each in text)


def _raised(_billable: str, data: Mapping[str, Any]) -> tuple[str, ...]:
    mark = "STILL OPEN" if data.get("is_reminder") else "ALERT"
    return _marked(mark, data), data.get(HINT) or ""


def _resolved(_billable: str, data: Mapping[str, Any]) -> tuple[str, ...]:
    mark = "RESOLVED" if data.get("is_watched", True) else "NO LONGER WATCHED"
    return (_marked(mark, data),)


def _marked(mark: str, data: Mapping[str, Any]) -> str:
    return f"{mark} {data['kind']}: {data['detail']} (since {data['opened_at']})"


def _payment_failed(billable: str, data: Mapping[str, Any]) -> tuple[str, ...]:
    grace, again = data.get("grace_period_ends_at"), data.get("next_payment_attempt")
    told = f"payment of invoice {data.get('invoice_id')} failed: {billable}"
    told += f"; grace until {grace}" if grace else ""
    return told + (f"; Stripe tries again {again}" if again else ""), ""


def _subscription_expired(billable: str, data: Mapping[str, Any]) -> tuple[str, ...]:
    told = f"the subscription of {billable} has expired: grace ended {data.get('expired_at')}"
    return told, f"aimeter subscriptions show {billable}"


def _limit(word: str) -> Callable[[str, Mapping[str, Any]], tuple[str, ...]]:
    def told(billable: str, data: Mapping[str, Any]) -> tuple[str, ...]:
        currency = data.get("currency")
        used, limit = (
            display(Decimal(data[name]), currency) if currency else f"{data[name]:,}"
            for name in ("used", "limit")
        )
        figures = f"{used} of {limit} {currency.upper() if currency else data['kind']}"
        return (
            f"{billable} {word} a limit of {data['plan']}: {figures}, {data['percent']} %",
            f"aimeter usage check {billable}",
        )

    return told


_WORDS: dict[EventName, Callable[[str, Mapping[str, Any]], tuple[str, ...]]] = {
    EventName.ALERT_RAISED: _raised,
    EventName.ALERT_RESOLVED: _resolved,
    EventName.PAYMENT_FAILED: _payment_failed,
    EventName.SUBSCRIPTION_EXPIRED: _subscription_expired,
    EventName.LIMIT_APPROACHING: _limit("approaches"),
    EventName.LIMIT_REACHED: _limit("has reached"),
}
