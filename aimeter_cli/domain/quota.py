"""What a plan covers, and what a usage adds beyond it.

Source: DESIGN.md, "Metering rules". The charge of a period is the largest of the token, cost and
request charge **on the period's totals**; a usage is charged the increase that it causes, so the
order of usages does not matter to the sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Literal, NamedTuple

from aimeter_cli.domain.money import quantise_ratio

OverageBehavior = Literal["block", "allow", "charge"]
BEHAVIORS: tuple[OverageBehavior, ...] = ("block", "allow", "charge")


@dataclass(frozen=True, slots=True)
class Terms:
    """The limits and prices that hold for one counter. Money in nanos of the plan's currency.

    A limit of None is unlimited, 0 covers nothing. ``price_per_1k`` None prices excess tokens at
    their usages' cost × ``markup``; 0 makes them free.
    """

    token_limit: int | None
    cost_limit: int | None
    request_limit: int | None
    price_per_1k: int | None
    markup: Decimal
    behavior: OverageBehavior


class Totals(NamedTuple):
    """What a counter has seen in its period: tokens, requests, and nanos of cost.

    ``excess_token_cost`` and ``excess_request_cost`` are the cost of what lay beyond the limits.
    """

    tokens: int = 0
    requests: int = 0
    cost: int = 0
    excess_token_cost: int = 0
    excess_request_cost: int = 0

    def plus(self, terms: Terms, tokens: int, cost: int, requests: int = 1) -> Totals:
        """The totals after one more usage of so many tokens at so many nanos."""
        after, served = self.tokens + tokens, self.requests + requests
        token_cost, request_cost = self.excess_token_cost, self.excess_request_cost
        if terms.token_limit is not None and after > terms.token_limit:
            token_cost += _share(cost, after - max(self.tokens, terms.token_limit), tokens)
        if terms.request_limit is not None and served > terms.request_limit:
            request_cost += _share(cost, served - max(self.requests, terms.request_limit), requests)
        return Totals(after, served, self.cost + cost, token_cost, request_cost)

    def excess_tokens(self, terms: Terms) -> int:
        return _excess(self.tokens, terms.token_limit)

    def exceeds(self, terms: Terms) -> bool:
        """Whether any limit has been passed."""
        return (
            (terms.token_limit is not None and self.tokens > terms.token_limit)
            or (terms.cost_limit is not None and self.cost > terms.cost_limit)
            or (terms.request_limit is not None and self.requests > terms.request_limit)
        )

    def reaches(self, terms: Terms) -> bool:
        """Whether any limit has been used up, so that the next call would lie beyond it."""
        pairs = (
            (self.tokens, terms.token_limit),
            (self.cost, terms.cost_limit),
            (self.requests, terms.request_limit),
        )
        return any(limit is not None and used >= limit for used, limit in pairs)


def charge(terms: Terms, totals: Totals) -> int:
    """What a period with these totals costs beyond the plan, in nanos."""
    if not (totals.excess_token_cost or totals.excess_request_cost or totals.exceeds(terms)):
        return 0
    times, over = _ratio(terms.markup)
    if terms.price_per_1k is None:
        most = quantise_ratio(totals.excess_token_cost * times, over)
    else:
        most = quantise_ratio(totals.excess_tokens(terms) * terms.price_per_1k, 1000)
    if terms.cost_limit is not None:
        beyond = _excess(totals.cost, terms.cost_limit)
        most = max(most, quantise_ratio(beyond * times, over))
    if terms.request_limit is not None:
        most = max(most, quantise_ratio(totals.excess_request_cost * times, over))
    return most


@lru_cache(maxsize=64)
def _ratio(markup: Decimal) -> tuple[int, int]:
    return markup.as_integer_ratio()


def _excess(used: int, limit: int | None) -> int:
    return 0 if limit is None else max(0, used - limit)


def _share(cost: int, part: int, whole: int) -> int:
    """The part of a usage's cost that its excess part bears; a whole excess bears all of it."""
    if part == whole:
        return cost if whole else 0
    return quantise_ratio(cost * part, whole) if part else 0
