"""A counter that is locked while usages are added to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from aimeter_cli.db.prepared import Row
from aimeter_cli.domain.money import in_range, to_nanos
from aimeter_cli.domain.overrides import Override
from aimeter_cli.domain.quota import Terms, Totals, charge


class Counted(NamedTuple):
    """What a usage adds to the charge, in nanos, and its tokens beyond the limit."""

    charge: int = 0
    excess_tokens: int = 0


_NOTHING = Counted()


@dataclass(slots=True)
class LockedCounter:
    """Its totals move on as usages are counted, each under the terms that hold for it.

    ``pinned`` are the terms that the counter was begun with, ``terms`` those of the last usage,
    ``due`` the charge of ``totals`` under them. ``is_adjusted``: see ``ai_usage_counters``.
    """

    row: Row
    id: int
    currency: str
    pinned: Terms
    terms: Terms
    totals: Totals
    before: Totals
    due: int
    is_adjusted: bool

    @classmethod
    def of(cls, row: Row) -> LockedCounter:
        terms, totals = pinned_terms(row), stored_totals(row)
        due = charge(terms, totals)
        return cls(
            row, row["id"], row["currency"], terms, terms, totals, totals, due, row["is_adjusted"]
        )

    def count(self, tokens: int, cost: int, override: Override | None = None) -> Counted:
        """Add one usage. Its charge is the increase that it causes under the terms of now.

        So nothing that was charged under other terms is charged again, or taken back. Raises
        InvalidInput if an amount becomes too large; then nothing is added.
        """
        terms = self._under(override)
        self.is_adjusted |= terms is not self.pinned and terms != self.pinned
        return self._move(self.totals.plus(terms, tokens, cost))

    def add_cost(
        self, tokens: int, cost: int, counted_at: Totals, override: Override | None = None
    ) -> Counted:
        """Add what a usage of so many tokens costs that was counted before without its cost.

        ``counted_at``: tokens and requests when it was counted; they tell how much of it lies
        beyond the limits. Raises InvalidInput as :meth:`count` does.
        """
        terms, totals = self._under(override), self.totals
        share = counted_at.plus(terms, tokens, cost)
        self.is_adjusted = True
        counted = self._move(
            totals._replace(
                cost=totals.cost + cost,
                excess_token_cost=totals.excess_token_cost + share.excess_token_cost,
                excess_request_cost=totals.excess_request_cost + share.excess_request_cost,
            )
        )
        beyond = share.excess_tokens(terms) - counted_at.excess_tokens(terms)
        return Counted(counted.charge, beyond if counted.charge else 0)

    def _under(self, override: Override | None) -> Terms:
        """The terms that hold for a usage; what is due so far is due under them."""
        terms = self.pinned if override is None else override.applied(self.pinned)
        if terms is not self.terms:
            self.terms, self.due = terms, charge(terms, self.totals)
        return terms

    def _move(self, after: Totals) -> Counted:
        before, terms = self.totals, self.terms
        in_range(max(after))
        due = in_range(charge(terms, after))
        increase, self.due, self.totals = due - self.due, due, after
        if not increase or terms.behavior != "charge":
            return _NOTHING
        return Counted(increase, after.excess_tokens(terms) - before.excess_tokens(terms))

    def standing(self) -> tuple[bool, int | None]:
        """Whether the limits are exceeded, and how many tokens they still cover."""
        limit = self.terms.token_limit
        left = None if limit is None else max(0, limit - self.totals.tokens)
        return self.totals.exceeds(self.terms), left


def pinned_terms(row: Mapping[Any, Any]) -> Terms:
    """The terms in a row of ``ai_usage_counters``."""
    cost_limit, price = row["cost_limit"], row["overage_price_per_1k_tokens"]
    return Terms(
        row["token_limit"],
        None if cost_limit is None else to_nanos(cost_limit),
        row["request_limit"],
        None if price is None else to_nanos(price),
        row["overage_markup"],
        row["overage_behavior"],
    )


def stored_totals(row: Mapping[Any, Any]) -> Totals:
    """The totals in a row of ``ai_usage_counters``."""
    return Totals(
        row["tokens"],
        row["requests"],
        to_nanos(row["cost"]),
        to_nanos(row["excess_token_cost"]),
        to_nanos(row["excess_request_cost"]),
    )
