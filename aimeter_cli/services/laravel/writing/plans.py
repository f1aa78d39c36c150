"""Plans: made, unless one of the same slug is here, which is then used as it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from aimeter_cli.domain.money import Money
from aimeter_cli.models.plans import Plan
from aimeter_cli.repositories.plans import find_plan
from aimeter_cli.services.laravel.mapping import PlanFacts, plan_facts
from aimeter_cli.services.laravel.schema import PLANS
from aimeter_cli.services.laravel.values import SourceRow
from aimeter_cli.services.laravel.writing.work import Work

_COMPARED = ("token_limit", "cost_limit", "overage_price_per_1k_tokens")


def write_plans(work: Work, batches: Iterable[Sequence[SourceRow]]) -> None:
    """Theirs have no currency: it is the configuration's, as there."""
    for rows in batches:
        known = work.imported("plan", rows)
        for row, facts in work.read(PLANS.name, rows, plan_facts):
            if row.id in known:
                work.report.table(PLANS.name).there_already += 1
                work.plans[row.id] = known[row.id].row_id
                if known[row.id].fingerprint != row.fingerprint:
                    _tell_differences(work, facts, work.session.get_one(Plan, known[row.id].row_id))
                continue
            here = find_plan(work.session, facts.slug)
            if here is None:
                plan = _plan(work, facts)
                work.session.add(plan)
                work.session.flush()
                work.remember("plan", row, plan.id)
            else:
                plan = here
                work.report.table(PLANS.name).there_already += 1
                _tell_differences(work, facts, here)
            work.plans[row.id] = plan.id


def _plan(work: Work, facts: PlanFacts) -> Plan:
    behavior = None
    limits = (facts.token_limit, facts.cost_limit)
    charges = work.settings.overage_behavior == "charge" and limits != (None, None)
    if charges and facts.overage_price is None:
        behavior = "allow"  # they charge nothing on a plan without a price
        work.report.notes.append(
            f"the plan {facts.slug} has no overage price: it charges nothing, as there "
            "(overage behaviour allow)"
        )
    return Plan(
        slug=facts.slug,
        name=facts.name,
        currency=work.settings.currency,
        token_limit=facts.token_limit,
        cost_limit=facts.cost_limit,
        overage_price_per_1k_tokens=facts.overage_price,
        overage_behavior=behavior,
        trial_days=facts.trial_days,
        features=facts.features,
        is_active=facts.is_active,
        created_at=facts.created_at or work.now,
        updated_at=work.now,
    )


def _tell_differences(work: Work, facts: PlanFacts, here: Plan) -> None:
    currency = work.settings.currency
    theirs = (facts.token_limit, facts.cost_limit, facts.overage_price)
    compared = [
        (name, _told(name, getattr(here, name), here.currency), _told(name, their, currency))
        for name, their in zip(_COMPARED, theirs, strict=True)
    ]
    for name, ours, their in (("currency", here.currency, currency), *compared):
        if ours != their:
            work.report.notes.append(
                f"the plan {here.slug} is here already, and stays as it is: {name} is {ours} here, "
                f"{their} there"
            )


def _told(name: str, value: Any, currency: str) -> str:
    if value is None:
        return "none"
    return str(value) if name == "token_limit" else str(Money(value, currency))
