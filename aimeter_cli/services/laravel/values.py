"""A row of the other database: texts, and what they mean."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from aimeter_cli.domain.money import from_nanos, nearest_nanos
from aimeter_cli.errors import InvalidInput

_TRUE = frozenset({"1", "true", "t"})


@dataclass(frozen=True, slots=True)
class SourceRow:
    """Errors name the column. ``zone``: that of the times, which are stored without one."""

    table: str
    values: Mapping[str, str | None]
    zone: tzinfo

    @property
    def id(self) -> int:
        found = self.whole("id")
        if found is None:
            raise InvalidInput(f"{self.table}.id: expected whole numbers, found none")
        return found

    def text(self, name: str) -> str | None:
        """None also for an empty text, and for a column that is not there. Without NUL, which no
        other database keeps."""
        return (self.values.get(name) or "").replace("\0", "") or None

    def needed(self, name: str) -> str:
        found = self.text(name)
        if found is None:
            raise InvalidInput(f"it has no {name}")
        return found

    def whole(self, name: str) -> int | None:
        text = self.text(name)
        if text is None:
            return None
        try:
            number = Decimal(text)
            if number == int(number):
                return int(number)
        except (ArithmeticError, ValueError):
            pass
        raise InvalidInput(f"{name}: {text!r} is not a whole number")

    def nanos(self, name: str) -> int | None:
        """Major units → nanos; what a float added beyond the ninth place is rounded away."""
        text = self.text(name)
        return None if text is None else nearest_nanos(text, name)

    def decimal(self, name: str) -> Decimal | None:
        nanos = self.nanos(name)
        return None if nanos is None else from_nanos(nanos)

    def moment(self, name: str) -> datetime | None:
        text = self.text(name)
        if text is None:
            return None
        try:
            found = datetime.fromisoformat(text)
            return (found if found.tzinfo else found.replace(tzinfo=self.zone)).astimezone(UTC)
        except (ValueError, OverflowError):
            raise InvalidInput(f"{name}: {text!r} is not a time") from None

    def needed_moment(self, name: str) -> datetime:
        found = self.moment(name)
        if found is None:
            raise InvalidInput(f"it has no {name}")
        return found

    def flag(self, name: str, *, default: bool) -> bool:
        text = self.text(name)
        return default if text is None else text.lower() in _TRUE

    def json(self, name: str) -> Any:
        """What its JSON says; None for an empty column, and for the empty list that PHP makes of
        an empty object."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return json.loads(text, parse_constant=str) or None
        except (ValueError, RecursionError):
            raise InvalidInput(f"{name}: not JSON") from None

    @property
    def fingerprint(self) -> str:
        """A hash of all that it says, by which a changed row is told from the same."""
        told = json.dumps(self.values, sort_keys=True)
        return blake2b(told.encode(errors="surrogatepass"), digest_size=16).hexdigest()
