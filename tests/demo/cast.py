"""Who takes part: a dozen billables on three plans, some busy, some quiet."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Customer:
    """``share`` weighs how many of the calls are theirs.

    ``currency`` is what they pay Stripe in, where it is not the plan's.
    """

    ref: str
    name: str
    plan: str
    share: int
    currency: str | None = None

    @property
    def email(self) -> str:
        return f"billing@{self.name.lower().replace(' ', '-')}.example"


CUSTOMERS = (
    Customer("team:acme", "Acme", "starter", 14),
    Customer("team:birch", "Birch Labs", "starter", 9),
    Customer("team:cobalt", "Cobalt", "starter", 6),
    Customer("team:delta", "Delta Works", "starter", 1),
    Customer("team:elm", "Elm Street", "starter", 12, currency="jpy"),
    Customer("user:42", "Ada", "starter", 7),
    Customer("team:fjord", "Fjord", "scale", 18),
    Customer("team:granite", "Granite", "scale", 15),
    Customer("team:harbor", "Harbor", "scale", 3),
    Customer("user:77", "Grace", "scale", 10),
    Customer("team:isar", "Isar", "europa", 11),
    Customer("team:jura", "Jura", "europa", 8),
)
"""The last one has no Stripe customer at first, so that its overage is blocked."""

LATECOMER = CUSTOMERS[-1]
PAYER = CUSTOMERS[0]
"""Whose invoice is looked at, and whose payment fails."""

PLAN_CURRENCY = {"starter": "usd", "scale": "usd", "europa": "eur"}
