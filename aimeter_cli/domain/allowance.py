"""What is left of a plan or a wallet, and whether one more call is allowed. Pure.

Source: DESIGN.md, "Metering rules". Nothing is reserved: of calls that begin at once each may be
allowed; what they use is counted exactly when they are recorded.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from aimeter_cli.domain.credits import InsufficientCredits, Standing
from aimeter_cli.domain.money import Money, from_nanos
from aimeter_cli.domain.periods import iso
from aimeter_cli.domain.quota import OverageBehavior, Terms, Totals
from aimeter_cli.domain.subscription import BillingMode, Status
from aimeter_cli.errors import AimeterError

Kind = Literal["tokens", "cost", "requests"]
Reason = Literal[
    "limit_reached", "limit_would_be_passed", "no_subscription",
    "no_credits", "credits_too_low", "unpaid_usages",
]  # fmt: skip
_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit and what is used of it; ``limit`` None is unlimited. Cost in major units.

    ``is_overridden``: it is not the plan's.
    """

    kind: Kind
    used: int | Decimal
    limit: int | Decimal | None
    is_overridden: bool = False

    @property
    def remaining(self) -> int | Decimal | None:
        """Never below 0; None: unlimited."""
        return None if self.limit is None else max(self.limit - self.used, self.limit * 0)

    @property
    def percent(self) -> Decimal:
        """How much is used, to two places, rounded down: 100 only if nothing is left."""
        if self.limit is None:
            return Decimal(0)
        if not self.limit:
            return _HUNDRED
        return Decimal(self.used * 10_000 // self.limit).scaleb(-2)

    @property
    def is_reached(self) -> bool:
        return self.limit is not None and self.used >= self.limit

    def would_be_passed(self, more: int | Decimal) -> bool:
        return self.limit is not None and self.used + more > self.limit


def limits_of(
    terms: Terms, totals: Totals, pinned: Terms | None = None
) -> tuple[Limit, Limit, Limit]:
    """Tokens, cost, requests. ``pinned``: the plan's terms, where others may hold."""
    usual = pinned or terms
    cost_limit = None if terms.cost_limit is None else from_nanos(terms.cost_limit)
    return (
        Limit("tokens", totals.tokens, terms.token_limit, terms.token_limit != usual.token_limit),
        Limit("cost", from_nanos(totals.cost), cost_limit, terms.cost_limit != usual.cost_limit),
        Limit(
            "requests",
            totals.requests,
            terms.request_limit,
            terms.request_limit != usual.request_limit,
        ),
    )


def tightest(limits: Iterable[Limit]) -> Limit | None:
    """The one of which most is used; None: all are unlimited."""
    limited = [limit for limit in limits if limit.limit is not None]
    return max(limited, key=lambda limit: limit.percent, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitCheck:
    """What is left for a billable at a moment, and whether the call that was asked for is allowed.

    ``reason``: why it is not, None if it is; ``explanation`` says it in words. ``behavior``: what
    exceeding the plan does. A billable without a subscription, or in credits mode, has no limits.
    ``wallet``: in credits mode; ``needed``: what the call was estimated to cost it, in nanos.
    ``is_overridden``: a limit override holds.
    """

    billable: str
    billing_mode: BillingMode
    approaching_percent: int
    plan: str | None = None
    subscription_status: Status | None = None
    behavior: OverageBehavior | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None
    currency: str | None = None
    limits: tuple[Limit, ...] = ()
    is_overridden: bool = False
    wallet: Standing | None = None
    needed: int = 0
    reason: Reason | None = None
    explanation: str = ""

    @property
    def allowed(self) -> bool:
        return self.reason is None

    @property
    def remaining_tokens(self) -> int | None:
        """None: unlimited."""
        left = self._limit("tokens").remaining
        return None if left is None else int(left)

    @property
    def remaining_cost(self) -> Decimal | None:
        """In ``currency``; in credits mode what the wallet has available. None: unlimited."""
        if self.wallet is not None:
            left = self.wallet.available
            return None if left is None else from_nanos(left)
        rest = self._limit("cost").remaining
        return None if rest is None else Decimal(rest)

    @property
    def remaining_requests(self) -> int | None:
        """None: unlimited."""
        left = self._limit("requests").remaining
        return None if left is None else int(left)

    @property
    def usage_percentage(self) -> Decimal:
        """Of the limit of which most is used, to two places; 0 without limits."""
        most = tightest(self.limits)
        return Decimal(0) if most is None else most.percent

    @property
    def is_approaching(self) -> bool:
        """From ``limit_approaching_percent`` on, also beyond the limit."""
        most = tightest(self.limits)
        return most is not None and most.percent >= self.approaching_percent

    @property
    def is_exceeded(self) -> bool:
        """A limit is used up: with the behaviour ``block`` no further call is allowed."""
        return any(limit.is_reached for limit in self.limits)

    def raise_if_blocked(self) -> None:
        """Raises InsufficientCredits in credits mode, else LimitExceeded."""
        if self.allowed:
            return
        if self.wallet is not None:
            raise InsufficientCredits(self.wallet, self.needed)
        raise LimitExceeded(self)

    def as_json(self) -> dict[str, Any]:
        """What a client may be told; amounts as text in major units."""
        cost = self.remaining_cost
        return {
            "billable": self.billable,
            "allowed": self.allowed,
            "reason": self.reason,
            "explanation": self.explanation,
            "plan": self.plan,
            "billing_mode": self.billing_mode,
            "remaining_tokens": self.remaining_tokens,
            "remaining_cost": None if cost is None else f"{cost:.9f}",
            "currency": self.currency,
            "remaining_requests": self.remaining_requests,
            "usage_percentage": str(self.usage_percentage),
            "is_approaching": self.is_approaching,
            "is_exceeded": self.is_exceeded,
            "period_start": None if self.period_start is None else iso(self.period_start),
            "period_end": None if self.period_end is None else iso(self.period_end),
        }

    def _limit(self, kind: Kind) -> Limit:
        return next((limit for limit in self.limits if limit.kind == kind), Limit(kind, 0, None))


class LimitExceeded(AimeterError):
    """The call is not allowed; ``check`` has the figures."""

    def __init__(self, check: LimitCheck) -> None:
        super().__init__(f"{check.billable} is blocked: {check.explanation}")
        self.check = check

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.check,)


def decide_on_plan(check: LimitCheck, tokens: int, cost: Decimal, requests: int) -> LimitCheck:
    """``check`` with the answer for a call that is estimated to use so much."""
    if check.behavior != "block":
        return replace(check, explanation=_in_words(check))
    needs: dict[Kind, int | Decimal] = {"tokens": tokens, "cost": cost, "requests": requests}
    for limit in check.limits:
        if limit.is_reached:
            told = f"the {_NAMES[limit.kind]} limit is used up: {_used(limit, check)}"
            return replace(check, reason="limit_reached", explanation=told)
    for limit in check.limits:
        if limit.would_be_passed(needs[limit.kind]):
            more = _amount(limit.kind, needs[limit.kind], check.currency)
            told = f"{more} more would pass the {_NAMES[limit.kind]} limit: {_used(limit, check)}"
            return replace(check, reason="limit_would_be_passed", explanation=told)
    return replace(check, explanation=_in_words(check))


def decide_without_plan(check: LimitCheck, *, blocks: bool) -> LimitCheck:
    """The same for a billable whose usage no subscription covers."""
    what = "there is no subscription"
    if check.subscription_status is not None:
        what = f"the subscription is {check.subscription_status}"
    if blocks:
        return replace(check, reason="no_subscription", explanation=what)
    return replace(check, explanation=f"{what}: usage is tracked without limit")


def decide_on_credits(check: LimitCheck, wallet: Standing, needed: int) -> LimitCheck:
    """The same for a call that a wallet pays; ``needed`` in nanos of its currency."""
    check = replace(check, wallet=wallet, needed=needed, currency=wallet.currency)
    left = Money.of_nanos(wallet.room, wallet.currency)
    if wallet.has_unpaid:
        told = "usages are not paid yet: credits pay the oldest first"
        return replace(check, reason="unpaid_usages", explanation=told)
    if not wallet.allows_a_call:
        told = f"no credits are left: {left} available"
        return replace(check, reason="no_credits", explanation=told)
    if not wallet.covers(needed):
        told = f"{Money.of_nanos(needed, wallet.currency)} are needed, {left} of credits available"
        return replace(check, reason="credits_too_low", explanation=told)
    told = f"{left} of credits available"
    if wallet.available is None:
        told = "credits may be overdrawn"
    return replace(check, explanation=told)


_NAMES: dict[Kind, str] = {"tokens": "token", "cost": "cost", "requests": "request"}


def _in_words(check: LimitCheck) -> str:
    most = tightest(check.limits)
    if most is None:
        return f"the plan {check.plan} has no limit"
    told = _used(most, check)
    if not most.is_reached:
        return told
    beyond = {"charge": "what lies beyond is charged", "allow": "what lies beyond is not charged"}
    return f"{told}; {beyond.get(check.behavior or '', 'what lies beyond is blocked')}"


def _used(limit: Limit, check: LimitCheck) -> str:
    of = _amount(limit.kind, limit.limit or 0, check.currency)
    used = f"{limit.used:,}"
    if limit.kind == "cost":
        used = _amount(limit.kind, limit.used, check.currency)
    source = "a limit override" if limit.is_overridden else f"the plan {check.plan}"
    return f"{used} of {of} ({source})"


def _amount(kind: Kind, value: int | Decimal, currency: str | None) -> str:
    if kind == "cost" and currency is not None:
        return str(Money(Decimal(value), currency))
    return f"{value:,} {kind}"
