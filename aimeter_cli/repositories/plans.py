"""Plans, and the Stripe prices that mean them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import and_, delete, func, not_, or_
from sqlmodel import Session, col, select

from aimeter_cli.models.plans import Plan, PlanPrice
from aimeter_cli.models.subscriptions import Subscription


def find_plan(session: Session, slug: str, *, lock: bool = False) -> Plan | None:
    statement = select(Plan).where(Plan.slug == slug)
    return session.exec(statement.with_for_update(key_share=True) if lock else statement).first()


def find_plan_of_price(session: Session, stripe_price_id: str) -> Plan | None:
    """The plan that a Stripe price means."""
    return session.exec(
        select(Plan)
        .join(PlanPrice, col(PlanPrice.plan_id) == col(Plan.id))
        .where(PlanPrice.stripe_price_id == stripe_price_id)
    ).first()


def list_plans(session: Session, *, include_archived: bool = False) -> Sequence[Plan]:
    """Plans in the order in which they were made."""
    statement = select(Plan).order_by(col(Plan.id))
    if not include_archived:
        statement = statement.where(col(Plan.is_active))
    return session.exec(statement).all()


def plan_slugs(session: Session) -> Sequence[str]:
    return session.exec(select(Plan.slug).order_by(Plan.slug)).all()


def prices_by_plan(session: Session, plan_ids: Iterable[int]) -> dict[int, list[str]]:
    """Stripe prices, in order, for each plan that has any."""
    found: dict[int, list[str]] = {}
    statement = (
        select(PlanPrice)
        .where(col(PlanPrice.plan_id).in_(list(plan_ids)))
        .order_by(PlanPrice.stripe_price_id)
    )
    for price in session.exec(statement):
        found.setdefault(price.plan_id, []).append(price.stripe_price_id)
    return found


def slugs_by_id(session: Session, plan_ids: Iterable[int]) -> dict[int, str]:
    statement = select(Plan.id, Plan.slug).where(col(Plan.id).in_(list(plan_ids)))
    return dict(session.exec(statement).all())


def remove_price(session: Session, plan_id: int, stripe_price_id: str) -> bool:
    """Whether the plan had that price."""
    done = session.connection().execute(
        delete(PlanPrice).where(
            col(PlanPrice.plan_id) == plan_id, col(PlanPrice.stripe_price_id) == stripe_price_id
        )
    )
    return done.rowcount == 1


def count_live_subscriptions(session: Session, plan_id: int) -> int:
    """Those that are on the plan, and those whose next one it is."""
    changed = col(Subscription.updated_at) >= col(Subscription.plan_changes_at)
    stays = or_(col(Subscription.plan_changes_at).is_(None), not_(changed))
    return session.exec(
        select(func.count())
        .select_from(Subscription)
        .where(
            col(Subscription.is_live),
            or_(
                and_(col(Subscription.plan_id) == plan_id, stays),
                col(Subscription.next_plan_id) == plan_id,
            ),
        )
    ).one()
