"""The one row of ``ai_installation``."""

from __future__ import annotations

from sqlmodel import Session, select

from aimeter_cli.models.installation import Installation


def installation(session: Session) -> Installation:
    """The installation; the first migration made it."""
    return session.exec(select(Installation)).one()
