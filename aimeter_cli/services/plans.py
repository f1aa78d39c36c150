"""Plans: made, changed, archived. Existing subscriptions keep what they have until their period
ends, because counters pin the terms that held when they were begun."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TypedDict

from sqlmodel import Session

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.currency import currency_code
from aimeter_cli.domain.references import checked_slug, slugify, stripe_id
from aimeter_cli.errors import Conflict, InvalidInput, NotFound
from aimeter_cli.models.plans import Plan, PlanPrice
from aimeter_cli.repositories import plans as repository
from aimeter_cli.services.suggestions import did_you_mean

_MOST_OF_A_NAME = 500


@dataclass(frozen=True, slots=True)
class NewPlan:
    """What ``create_plan`` is told. A limit of None is unlimited; amounts in major units."""

    name: str
    currency: str
    slug: str | None = None
    token_limit: int | None = None
    cost_limit: Decimal | None = None
    request_limit: int | None = None
    overage_price_per_1k_tokens: Decimal | None = None
    overage_behavior: str | None = None
    trial_days: int = 0
    features: Sequence[str] = ()
    stripe_prices: Sequence[str] = ()


class PlanChanges(TypedDict, total=False):
    """Fields to set; those that are absent stay as they are, None lifts a limit or a price."""

    name: str
    token_limit: int | None
    cost_limit: Decimal | None
    request_limit: int | None
    overage_price_per_1k_tokens: Decimal | None
    overage_behavior: str | None
    trial_days: int
    features: Sequence[str]


@dataclass(frozen=True, slots=True)
class PlanView:
    """A plan with its Stripe prices and how many live subscriptions it has."""

    plan: Plan
    stripe_prices: Sequence[str] = field(default=())
    live_subscriptions: int = 0


def create_plan(
    database: Database, new: NewPlan, *, now: datetime, dry_run: bool = False
) -> PlanView:
    """Raises InvalidInput for a bad slug, Conflict if slug or Stripe price is taken."""
    name = _named(new.name)
    slug = slugify(name) if new.slug is None else checked_slug(new.slug)
    with database.write(dry_run=dry_run) as session:
        taken = repository.find_plan(session, slug)
        if taken is not None:
            raise Conflict(
                f"a plan with the slug {slug} exists already: {taken.name}",
                hint=f"Give another --slug, or change it: aimeter plans update {slug} …",
            )
        plan = Plan(
            slug=slug,
            name=name,
            currency=currency_code(new.currency),
            token_limit=new.token_limit,
            cost_limit=new.cost_limit,
            request_limit=new.request_limit,
            overage_price_per_1k_tokens=new.overage_price_per_1k_tokens,
            overage_behavior=new.overage_behavior,
            trial_days=new.trial_days,
            features=_features(new.features),
            created_at=now,
            updated_at=now,
        )
        session.add(plan)
        session.flush()
        _add_prices(session, plan, new.stripe_prices)
        return _view(session, plan)


def list_plans(database: Database, *, include_archived: bool = False) -> list[PlanView]:
    with database.read() as session:
        plans = repository.list_plans(session, include_archived=include_archived)
        prices = repository.prices_by_plan(session, (plan.id for plan in plans))
        return [PlanView(plan, prices.get(plan.id, [])) for plan in plans]


def show_plan(database: Database, slug: str) -> PlanView:
    """Raises NotFound."""
    with database.read() as session:
        return _view(session, plan_named(session, slug))


def update_plan(
    database: Database,
    slug: str,
    changes: PlanChanges,
    *,
    now: datetime,
    add_prices: Sequence[str] = (),
    remove_prices: Sequence[str] = (),
    dry_run: bool = False,
) -> PlanView:
    """Raises NotFound, InvalidInput, or Conflict if a Stripe price belongs to another plan."""
    with database.write(dry_run=dry_run) as session:
        plan = plan_named(session, slug, lock=True)
        if "name" in changes:
            changes["name"] = _named(changes["name"])
        if "features" in changes:
            changes["features"] = _features(changes["features"])
        for name, value in changes.items():
            setattr(plan, name, value)
        plan.updated_at = now
        session.add(plan)
        for price in remove_prices:
            if not repository.remove_price(session, plan.id, price):
                raise NotFound(f"the plan {slug} has no Stripe price {price}")
        _add_prices(session, plan, add_prices)
        session.flush()
        return _view(session, plan)


def archive_plan(
    database: Database, slug: str, *, now: datetime, undo: bool = False, dry_run: bool = False
) -> tuple[PlanView, bool]:
    """Close a plan to new subscriptions, or open it again; whether that changed anything.

    Raises NotFound.
    """
    with database.write(dry_run=dry_run) as session:
        plan = plan_named(session, slug, lock=True)
        changed = plan.is_active != undo
        if changed:
            plan.is_active, plan.updated_at = undo, now
            session.add(plan)
            session.flush()
        return _view(session, plan), changed


def plan_named(session: Session, slug: str, *, lock: bool = False) -> Plan:
    """Raises NotFound that suggests what may have been meant."""
    plan = repository.find_plan(session, slug, lock=lock)
    if plan is None:
        hint = did_you_mean(slug, repository.plan_slugs(session), "aimeter plans list --all")
        raise NotFound(f"there is no plan {slug}", hint=hint)
    return plan


def _view(session: Session, plan: Plan) -> PlanView:
    prices = repository.prices_by_plan(session, [plan.id]).get(plan.id, [])
    return PlanView(plan, prices, repository.count_live_subscriptions(session, plan.id))


def _add_prices(session: Session, plan: Plan, prices: Sequence[str]) -> None:
    for text in dict.fromkeys(prices):
        price = stripe_id(text, "price", "--stripe-price")
        other = repository.find_plan_of_price(session, price)
        if other is not None and other.id != plan.id:
            raise Conflict(f"the Stripe price {price} already means the plan {other.slug}")
        if other is None:
            session.add(PlanPrice(stripe_price_id=price, plan_id=plan.id))
            session.flush()


def _named(name: str) -> str:
    name = name.strip()
    if not name:
        raise InvalidInput("NAME: a plan needs a name")
    if len(name) > _MOST_OF_A_NAME:
        raise InvalidInput(f"NAME: longer than {_MOST_OF_A_NAME} characters")
    return name


def _features(features: Sequence[str]) -> list[str]:
    """Each once, in the order given, without blanks around it."""
    return list(dict.fromkeys(stripped for feature in features if (stripped := feature.strip())))
