"""What a plan's usages come to, written once more from DESIGN.md, "Metering rules", in fractions.

Nothing here is taken from the package, so that a fault there is not copied.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

NANOS = 10**9


@dataclass(frozen=True)
class Terms:
    """A plan as the test drew it; money in major units of its currency."""

    currency: str
    token_limit: int | None
    cost_limit: Decimal | None
    request_limit: int | None
    price_per_1k: Decimal | None


@dataclass
class Meter:
    """The totals of one billable's period, in nanos of the plan's currency."""

    terms: Terms
    markup: Fraction
    tokens: int = 0
    requests: int = 0
    cost: int = 0
    token_excess_cost: int = 0
    request_excess_cost: int = 0

    def add(self, tokens: int, cost: int) -> None:
        limit, served = self.terms.token_limit, self.terms.request_limit
        if limit is not None and tokens:
            beyond = min(tokens, max(0, self.tokens + tokens - limit))
            self.token_excess_cost += round(Fraction(cost * beyond, tokens))
        if served is not None and self.requests >= served:
            self.request_excess_cost += cost
        self.tokens += tokens
        self.requests += 1
        self.cost += cost

    def charge(self) -> int:
        """Nanos beyond the plan: the largest of the token, cost and request charge."""
        terms, charges = self.terms, [0]
        if terms.price_per_1k is None:
            charges.append(round(self.token_excess_cost * self.markup))
        elif terms.token_limit is not None:
            beyond = max(0, self.tokens - terms.token_limit)
            charges.append(round(beyond * Fraction(terms.price_per_1k) * NANOS / 1000))
        if terms.cost_limit is not None:
            beyond = max(0, self.cost - int(terms.cost_limit * NANOS))
            charges.append(round(beyond * self.markup))
        if terms.request_limit is not None:
            charges.append(round(self.request_excess_cost * self.markup))
        return max(charges)
