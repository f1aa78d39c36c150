"""Who is billed: ``App\\Models\\User`` with the id 42 → ``user:42``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import InvalidInput
from aimeter_cli.services.laravel.values import SourceRow

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class BillableNames:
    """The type of each ``billable_type``: as mapped, else its class's own name in snake_case.

    Raises InvalidInput for a mapping of a type that is not there, and where two types would get the
    same name without being told so: their ids would be taken for the same billables.
    """

    def __init__(self, types: Iterable[str], mapping: Mapping[str, str]) -> None:
        told = {_plain(key): value for key, value in mapping.items()}
        known = {_plain(each): each for each in types}
        for key in told:
            if key not in known:
                there = ", ".join(sorted(known)) or "none"
                raise InvalidInput(f"--map: there is no billable_type {key}: there are {there}")
        self._names = {raw: told.get(key) or _snake(key) for key, raw in known.items()}
        users = (self._names[raw] for key, raw in known.items() if _snake(key) == "user")
        self._user = next(users, "user")
        for name in self._names.values():
            BillableRef.parse(f"{name}:1")
            sharing = [key for key, raw in known.items() if self._names[raw] == name]
            if len(sharing) > 1 and not told.keys() >= set(sharing):
                raise InvalidInput(
                    f"--map: {' and '.join(sharing)} would both become {name}",
                    hint=f"Map each of them, say --map '{sharing[0]}={name}': to the same name "
                    "if their ids mean the same billables, else to different ones.",
                )

    def ref(self, row: SourceRow) -> BillableRef:
        """The billable of a row. Raises InvalidInput where it has none."""
        kind, ident = row.text("billable_type"), row.text("billable_id")
        if kind is None or ident is None:
            raise InvalidInput("it has no billable")
        return BillableRef.parse(f"{self._names[kind]}:{ident}")

    def user(self, row: SourceRow) -> str | None:
        """Who made a call, as a reference: ``user_id`` is that of the application's own users."""
        ident = row.text("user_id")
        return None if ident is None else f"{self._user}:{ident}"


def _plain(name: str) -> str:
    """However the backslashes were typed."""
    return re.sub(r"\\+", r"\\", name).strip("\\")


def _snake(name: str) -> str:
    return _WORD.sub("_", name.rpartition("\\")[2]).lower()
