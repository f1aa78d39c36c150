"""Grace after failed payments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aimeter_cli.domain.grace import Grace, after_failure, after_recovery, after_settlement


def day(number: int) -> datetime:
    return datetime(2026, 11, 1, tzinfo=UTC) + timedelta(days=number - 1)


def grace(expired: int | None = None, **ends: int) -> Grace:
    return Grace(
        {invoice: day(end) for invoice, end in ends.items()},
        day(expired) if expired is not None else None,
    )


@pytest.mark.parametrize(
    ("before", "invoice", "failed", "days", "after"),
    [
        (grace(), "a", 1, 7, grace(a=8)),
        (grace(a=8), "a", 3, 7, grace(a=8)),  # a retry
        (grace(a=10), "a", 1, 7, grace(a=8)),  # the first failure, told late
        (grace(a=8), "b", 3, 7, grace(a=8, b=10)),
        (grace(a=8), "a", 2, 3, grace(a=5)),  # the shorter grace of a changed configuration
        (grace(), "a", 1, 0, grace(expired=1, a=1)),
        (grace(expired=3, a=3), "a", 1, 0, grace(expired=1, a=1)),
        (grace(expired=8, a=8), "b", 9, 7, grace(expired=8, a=8, b=16)),
        (grace(expired=10, a=10), "a", 1, 7, grace(expired=8, a=8)),
        (grace(expired=12, a=8), "a", 9, 7, grace(expired=12, a=8)),
    ],
)
def test_a_failure_starts_grace_and_a_retry_does_not_restart_it(
    before: Grace, invoice: str, failed: int, days: int, after: Grace
) -> None:
    assert after_failure(before, invoice, day(failed), days) == after


@pytest.mark.parametrize(
    ("before", "paid", "at", "days", "after"),
    [
        (grace(a=8), "a", 3, 7, grace()),
        (grace(a=8), "b", 3, 7, grace(a=8)),
        (grace(a=8, b=10), "a", 3, 7, grace(b=10)),
        (grace(expired=8, a=8), "a", 20, 7, grace()),
        (grace(expired=8, a=8), "b", 20, 7, grace(expired=8, a=8)),
        (grace(expired=8, a=8), "b", 2, 7, grace(expired=8, a=8)),
        (grace(expired=8, a=8, b=30), "a", 20, 7, grace(b=30)),  # in grace again
        (grace(expired=8, a=8, b=10), "a", 20, 7, grace(expired=10, b=10)),
        (grace(expired=9, a=8, b=10), "a", 20, 7, grace(expired=9, b=10)),
        (grace(expired=1, a=1, b=3), "a", 2, 0, grace(expired=3, b=3)),
        (grace(expired=8), "a", 20, 7, grace()),  # expired by hand
        (grace(expired=8), "a", 2, 7, grace(expired=8)),
    ],
)
def test_a_settled_invoice_ends_its_grace_and_no_other(
    before: Grace, paid: str, at: int, days: int, after: Grace
) -> None:
    assert after_settlement(before, [paid], day(at), days) == after


@pytest.mark.parametrize(
    ("before", "failures", "at", "after"),
    [
        (grace(a=8), {"a": [1]}, 3, grace()),
        (grace(a=8), {}, 3, grace()),  # nobody knows when it began
        (grace(a=8), {"a": [1, 5]}, 3, grace(a=12)),
        (grace(a=12), {"a": [5]}, 3, grace(a=12)),
        (grace(a=8, b=12), {"a": [1], "b": [5]}, 3, grace(b=12)),
        (grace(expired=8, a=8), {"a": [1]}, 20, grace()),
    ],
)
def test_a_recovery_forgives_what_failed_before_it(
    before: Grace, failures: dict[str, list[int]], at: int, after: Grace
) -> None:
    times = {invoice: map(day, days) for invoice, days in failures.items()}
    assert after_recovery(before, times, day(at), 7) == after


def test_the_grace_that_ends_first_is_the_subscriptions() -> None:
    several = grace(b=8, c=8, a=9)
    assert (several.invoice, several.end) == ("b", day(8))
    assert (Grace().invoice, Grace().end) == (None, None)
