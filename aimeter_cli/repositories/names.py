"""Names that an operator may be about to type, or may have meant."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, col, func, select

from aimeter_cli.models.billables import Billable

_TYPES = 50


def billable_types(session: Session) -> list[str]:
    """The first fifty, in order; each is one step in the index, whatever the table's size."""
    found: list[str] = []
    last = ""
    for _ in range(_TYPES):
        following = session.exec(select(func.min(Billable.type)).where(Billable.type > last))
        found += (name for name in following if name is not None)
        if not found or found[-1] == last:
            break
        last = found[-1]
    return found


def ids_like(session: Session, type_: str, prefix: str, limit: int) -> Sequence[str]:
    """Ids of that type which begin so, in whatever case."""
    begins = col(Billable.external_id).istartswith(prefix, autoescape=True)
    return session.exec(
        select(Billable.external_id)
        .where(Billable.type == type_, begins)
        .order_by(col(Billable.external_id))
        .limit(limit)
    ).all()


def types_with_id(session: Session, types: Sequence[str], external_id: str) -> Sequence[str]:
    """Which of ``types`` have a billable of that id."""
    return session.exec(
        select(Billable.type).where(
            col(Billable.type).in_(types), Billable.external_id == external_id
        )
    ).all()
