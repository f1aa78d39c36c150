"""Names from the database: for the shell's completion, and for what somebody may have meant."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from sqlmodel import Session

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import NotFound
from aimeter_cli.repositories import names as repository
from aimeter_cli.repositories.billables import find_billable
from aimeter_cli.repositories.plans import plan_slugs

_SHOWN = 100
_COMPARED = 500


def billables_from(database: Database, text: str) -> list[str]:
    """References that begin with ``text``, at most a hundred of each type."""
    type_, colon, prefix = text.partition(":")
    with database.read() as session:
        types = repository.billable_types(session)
        wanted = [t for t in types if (t == type_ if colon else t.startswith(type_))]
        return [f"{t}:{i}" for t in wanted for i in repository.ids_like(session, t, prefix, _SHOWN)]


def plans_from(database: Database, text: str) -> Sequence[str]:
    """Slugs that begin with ``text``."""
    with database.read() as session:
        return [slug for slug in plan_slugs(session) if slug.startswith(text)]


def nobody_like(database: Database, ref: BillableRef) -> str:
    """A sentence where there is no such billable; empty where there is."""
    with database.read() as session:
        if find_billable(session, ref) is not None:
            return ""
        error = no_billable(session, ref)
    return f" T{error.message[1:]}. {error.hint}"


def no_billable(session: Session, ref: BillableRef) -> NotFound:
    """The error that there is none, with whom it may have meant."""
    meant = _meant(session, ref)
    hint = f"Did you mean {meant}?" if meant else f"aimeter billables create {ref}"
    return NotFound(f"there is no billable {ref}", hint=hint)


def _meant(session: Session, ref: BillableRef) -> str | None:
    """The same id of another type, else the closest id of the type."""
    types = repository.billable_types(session)
    close_types = get_close_matches(ref.type, types, len(types) or 1, 0.5)
    found = repository.types_with_id(session, close_types, ref.id)
    if found:
        return f"{get_close_matches(ref.type, found, 1, 0)[0]}:{ref.id}"
    if ref.type not in types:
        return None
    ids = repository.ids_like(session, ref.type, ref.id[:1], _COMPARED)
    by_lower = {known.lower(): known for known in ids}
    close = get_close_matches(ref.id.lower(), by_lower, 1, 0.75)
    return f"{ref.type}:{by_lower[close[0]]}" if close else None
