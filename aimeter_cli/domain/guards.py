"""Guards against absurd amounts: which of the overages that are due fit under a limit. Pure."""

from __future__ import annotations

from collections.abc import Iterable


def fitting(limit: int, already: int, amounts: Iterable[tuple[int, int]]) -> set[int]:
    """Ids of those that fit, oldest first; one that does not fit leaves room for smaller ones.

    All amounts in nanos of one currency: ``limit``, what counts ``already``, and (id, amount).
    """
    taken: set[int] = set()
    for overage_id, amount in amounts:
        if already + amount <= limit:
            already += amount
            taken.add(overage_id)
    return taken
