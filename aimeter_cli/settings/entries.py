"""Settings that are arrays of tables with names, such as ``[[event_sinks]]``: parts of parsers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from aimeter_cli.errors import InvalidInput

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Parsers = Mapping[str, Callable[[Any], Any]]


class Named(Protocol):
    @property
    def name(self) -> str: ...


def array(value: Any, setting: str) -> Sequence[Any]:
    """An array of tables, or its JSON. Raises InvalidInput."""
    if isinstance(value, str):
        import json

        try:
            value = json.loads(value, parse_float=Decimal)
        except ValueError:
            raise InvalidInput("expected a JSON array of objects") from None
    if not isinstance(value, list):
        raise InvalidInput(f"expected an array of tables, [[{setting}]], got {value!r}")
    return value


def table(value: Any, which: str, parsers: Parsers) -> tuple[str, dict[str, Any]]:
    """How the table is called in errors, and its values. Raises InvalidInput, naming the key."""
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{which}: expected a table, got {value!r}")
    which = str(value.get("name", which))
    unknown = set(value) - set(parsers)
    if unknown:
        expected = ", ".join(parsers)
        raise InvalidInput(f"{which}: unknown key {sorted(unknown)[0]!r}: expected {expected}")
    given = {}
    for key, said in value.items():
        try:
            given[key] = parsers[key](said)
        except InvalidInput as error:
            raise InvalidInput(f"{which}: {key}: {error.message}") from None
    if "name" not in given:
        raise InvalidInput(f"{which}: name: required")
    return which, given


def refuse_twins(entries: Sequence[Named], what: str) -> None:
    """Raises InvalidInput where two have the same name."""
    names = [entry.name for entry in entries]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidInput(f"{twice}: two {what} have this name")


def name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise InvalidInput(f"expected lower-case letters, digits, - and _, got {value!r}")
    return value


def variable(value: Any) -> str:
    """The name of an environment variable; what it is not is not repeated, for it may be secret."""
    if not isinstance(value, str) or not _VARIABLE.fullmatch(value):
        raise InvalidInput("expected the name of an environment variable, never the secret itself")
    return value


def texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(part, str) and part for part in value):
        raise InvalidInput(f"expected an array of texts, got {value!r}")
    return tuple(value)
