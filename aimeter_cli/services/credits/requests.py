"""Requests to change a wallet: told once, done once, however often they are repeated."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel import Session

from aimeter_cli.db.engine import Database, is_deadlock
from aimeter_cli.domain.money import to_nanos
from aimeter_cli.domain.periods import iso
from aimeter_cli.errors import Conflict, InvalidInput
from aimeter_cli.repositories import credits as repo
from aimeter_cli.services.credits.paying import USAGE_KEY

T = TypeVar("T")
_TRIES = 5
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Note:
    """What a caller may say beside the amount. A repeat of ``key`` changes nothing."""

    key: str | None = None
    reason: str | None = None
    meta: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for option, value in (("--idempotency-key", self.key), ("--reason", self.reason)):
            if value is not None and not (0 < len(value) <= _LONGEST and value.isprintable()):
                raise InvalidInput(f"{option}: expected up to {_LONGEST} characters on one line")
        if self.key is not None and self.key.startswith(USAGE_KEY):
            raise InvalidInput(f"--idempotency-key: {USAGE_KEY!r} begins the keys of paid usages")

    @property
    def meta_json(self) -> str | None:
        if not self.meta:
            return None
        return json.dumps(dict(self.meta), sort_keys=True, ensure_ascii=False)

    def fingerprint(self, *content: str | int | Decimal | datetime | None) -> str:
        """A hash of the verb, what it was told, and this note."""
        told = [iso(each) if isinstance(each, datetime) else each and str(each) for each in content]
        text = json.dumps([*told, self.reason, self.meta_json], ensure_ascii=False)
        return blake2b(text.encode(), digest_size=16).hexdigest()


def positive_nanos(amount: Decimal, option: str = "AMOUNT") -> int:
    """Raises InvalidInput unless it is above 0 and can be stored."""
    nanos = to_nanos(amount)
    if nanos <= 0:
        raise InvalidInput(f"{option}: expected more than 0, got {amount:f}")
    return nanos


def repeated(session: Session, note: Note, fingerprint: str) -> int | None:
    """The entry that this key made before, None if it is new. Raises Conflict for other content."""
    if note.key is None:
        return None
    row = repo.entry_by_key(session, note.key)
    if row is None:
        return None
    if row["fingerprint"] != fingerprint:
        raise Conflict(
            f"idempotency key {note.key!r} was used for another entry ({row['id']})",
            hint="Send the same again unchanged, or choose a new key.",
        )
    return int(row["id"])


def in_one_transaction(database: Database, work: Callable[[Session], T], *, dry_run: bool) -> T:
    """``work`` in a transaction, begun anew where another writer was quicker with its key."""
    for last in (*[False] * (_TRIES - 1), True):
        try:
            with database.write(dry_run=dry_run) as session:
                return work(session)
        except DBAPIError as error:
            if last or not _is_race(error):
                raise
    raise AssertionError("unreachable: the last try returns or raises")


def _is_race(error: DBAPIError) -> bool:
    taken = isinstance(error, IntegrityError) and "idempotency_key" in str(error.orig)
    return taken or is_deadlock(error)
