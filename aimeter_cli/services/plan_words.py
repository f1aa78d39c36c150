"""What exceeding a plan will cost, in words, for whoever makes or changes it."""

from __future__ import annotations

from decimal import Decimal

from aimeter_cli.domain.money import display
from aimeter_cli.models.plans import Plan
from aimeter_cli.settings.table import Settings

_EVERY = {"monthly": "a month", "weekly": "a week", "daily": "a day", "yearly": "a year"}
_TRIAL = {
    "block": "calls beyond the plan are blocked",
    "allow": "what lies beyond the plan is tracked and not charged",
    "charge": "what lies beyond the plan is charged as afterwards",
}


def overage_in_words(plan: Plan, settings: Settings) -> list[str]:
    """One sentence a line. Behaviour, markup and period come from plan and configuration."""
    behavior = plan.overage_behavior or settings.overage_behavior
    every = _EVERY[settings.period_type]
    parts = _limits(plan)
    if not parts:
        lines = ["No limit is set: everything is covered, nothing is ever charged beyond the plan."]
    elif behavior == "block":
        lines = [f"Beyond {_or(parts)} {every}: calls are blocked."]
    elif behavior == "allow":
        lines = [f"Beyond {_or(parts)} {every}: usage is tracked, nothing is charged."]
    else:
        lines = [f"Beyond {limit} {every}: {price}." for limit, price in _prices(plan, settings)]
        if len(lines) > 1:
            lines.append("The largest of these charges counts, not their sum.")
    if parts and plan.overage_behavior is None:
        lines.append(f"(overage_behavior = {behavior} is the configuration's, and follows it.)")
    if plan.trial_days:
        lines.append(
            f"In the trial of {plan.trial_days} days "
            f"{_TRIAL[settings.trial_overage_behavior]} (trial_overage_behavior)."
        )
    return lines


def unused_price(plan: Plan, settings: Settings) -> str | None:
    """A warning, if the plan has a price that nothing will ever be charged at."""
    if plan.overage_price_per_1k_tokens is None:
        return None
    behavior = plan.overage_behavior or settings.overage_behavior
    if behavior != "charge":
        return f"the overage price has no effect while the overage behaviour is {behavior}"
    if plan.token_limit is None:
        return "the overage price has no effect without --token-limit"
    return None


def _limits(plan: Plan) -> list[str]:
    found = []
    if plan.token_limit is not None:
        found.append(f"{plan.token_limit:,} tokens")
    if plan.cost_limit is not None:
        found.append(f"{_money(plan.cost_limit, plan)} of cost")
    if plan.request_limit is not None:
        found.append(f"{plan.request_limit:,} requests")
    return found


def _prices(plan: Plan, settings: Settings) -> list[tuple[str, str]]:
    factor = _factor(settings.overage_markup)
    found = []
    if plan.token_limit is not None:
        price = plan.overage_price_per_1k_tokens
        if price is None:
            words = f"the cost of the excess tokens{factor}"
        elif price == 0:
            words = "excess tokens are free"
        else:
            words = f"{_money(price, plan)} per 1,000 tokens"
        found.append((f"{plan.token_limit:,} tokens", words))
    if plan.cost_limit is not None:
        found.append((f"{_money(plan.cost_limit, plan)} of cost", f"the excess cost{factor}"))
    if plan.request_limit is not None:
        found.append(
            (f"{plan.request_limit:,} requests", f"the cost of the excess requests{factor}")
        )
    return found


def _factor(markup: Decimal) -> str:
    return "" if markup == 1 else f" × {markup.normalize():f}"


def _money(amount: Decimal, plan: Plan) -> str:
    return f"{display(amount, plan.currency)} {plan.currency.upper()}"


def _or(parts: list[str]) -> str:
    return " or ".join(parts)
