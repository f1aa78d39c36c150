"""Grace after failed payments: which invoices are unpaid, and what that means.

Source: DESIGN.md, "Webhooks" (grace). The first failure of an invoice starts its grace; retries do
not restart it; payment, voiding or recovery of the subscription ends it. With several unpaid
invoices the grace that ends first is the subscription's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Grace:
    """``ends``: each unpaid invoice with the end of its grace; ``expired_at``: it has run out."""

    ends: Mapping[str, datetime] = field(default_factory=dict)
    expired_at: datetime | None = None

    @property
    def invoice(self) -> str | None:
        """The invoice whose grace ends first."""
        return min(self.ends, key=lambda each: (self.ends[each], each), default=None)

    @property
    def end(self) -> datetime | None:
        return min(self.ends.values(), default=None)


def after_failure(grace: Grace, invoice: str, failed_at: datetime, days: int) -> Grace:
    """A payment of ``invoice`` failed. The earliest failure counts, whichever is told first.

    With ``days`` 0 the subscription expires at once.
    """
    end = failed_at + timedelta(days=days)
    ends = {**grace.ends, invoice: min(end, grace.ends.get(invoice, end))}
    after = replace(grace, ends=ends)
    if days == 0 or grace.expired_at == grace.end is not None:
        return replace(after, expired_at=after.end)
    return after


def after_settlement(grace: Grace, invoices: Iterable[str], at: datetime, days: int) -> Grace:
    """``invoices`` need no payment any more since ``at``. Nothing else unpaid: grace is over."""
    settled = set(invoices)
    return _still_unpaid(
        grace, {each: end for each, end in grace.ends.items() if each not in settled}, at, days
    )


def after_recovery(
    grace: Grace, failures: Mapping[str, Iterable[datetime]], at: datetime, days: int
) -> Grace:
    """The subscription is active again at ``at``: only failures after that count.

    ``failures`` are the known times at which payments of each unpaid invoice failed.
    """
    ends: dict[str, datetime] = {}
    for invoice, end in grace.ends.items():
        times = sorted(failures.get(invoice, ()))
        later = [time for time in times if time > at]
        if later:
            ends[invoice] = end if later == times else later[0] + timedelta(days=days)
    return _still_unpaid(grace, ends, at, days)


def _still_unpaid(before: Grace, ends: Mapping[str, datetime], at: datetime, days: int) -> Grace:
    after, expired_at = Grace(ends), before.expired_at
    if expired_at is None:
        return after
    if ends == before.ends and (ends or at < expired_at):
        return before  # nothing of it was settled
    if after.end is None:
        return after
    if days == 0 or (expired_at == before.end and after.end <= at):
        return replace(after, expired_at=after.end)
    return replace(after, expired_at=expired_at if after.end <= at else None)
