"""Columns and JSON fields of a limit check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aimeter_cli.domain.money import from_nanos
from aimeter_cli.render.bars import with_gauge
from aimeter_cli.render.noun import COUNT, FLAG, ID, MONEY, NUMBER, STATUS, TIME, Column, Kind, Noun

if TYPE_CHECKING:
    from aimeter_cli.render.terminal import Terminal

_UNLIMITED = "unlimited"


def _limit(name: str, of: str, field: str, kind: Kind = COUNT, none: str = "-") -> Column:
    def value(check: Any) -> Any:
        found = [limit for limit in check.limits if limit.kind == of]
        return getattr(found[0], field) if found else None

    return Column(name, kind, get=value, none=none)


def _wallet(name: str) -> Column:
    def value(check: Any) -> Any:
        wallet = check.wallet
        if wallet is None or not wallet.has_wallet:
            return None
        return from_nanos(getattr(wallet, name))

    return Column(f"wallet_{name}", MONEY, get=value)


LIMIT_CHECK = Noun(
    "limit check",
    (
        Column("billable", ID),
        Column("allowed", FLAG, good=True),
        Column("reason"),
        Column("explanation", header="Why"),
        Column("plan"),
        Column("subscription_status", STATUS),
        Column("billing_mode", header="Mode"),
        Column("behavior", header="Overage"),
        Column("is_overridden", FLAG, header="Overridden"),
        Column("period_start", TIME, is_dated=True),
        Column("period_end", TIME, is_dated=True),
        Column("currency"),
        _limit("tokens_used", "tokens", "used"),
        _limit("token_limit", "tokens", "limit", none=_UNLIMITED),
        Column("remaining_tokens", COUNT, none=_UNLIMITED),
        _limit("cost_used", "cost", "used", MONEY),
        _limit("cost_limit", "cost", "limit", MONEY, _UNLIMITED),
        Column("remaining_cost", MONEY, none=_UNLIMITED),
        _limit("requests_used", "requests", "used"),
        _limit("request_limit", "requests", "limit", none=_UNLIMITED),
        Column("remaining_requests", COUNT, none=_UNLIMITED),
        Column("usage_percentage", NUMBER, header="Used %"),
        Column("is_approaching", FLAG, header="Approaching"),
        Column("is_exceeded", FLAG, header="Exceeded", good=False),
        _wallet("balance"),
        _wallet("held"),
    ),
)


def shown_check(terminal: Terminal | None) -> Noun:
    """With a bar on a terminal: how much of the limit is used."""
    return with_gauge(LIMIT_CHECK, "usage_percentage", terminal) if terminal else LIMIT_CHECK
