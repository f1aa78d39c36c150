"""JSON and JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from aimeter_cli.render.cells import as_object
from aimeter_cli.render.noun import Noun
from aimeter_cli.render.safe import harmless_json


def line(noun: Noun, row: Any) -> str:
    """One object on one line."""
    return _dump(as_object(noun, row), None)


def indented(noun: Noun, row: Any) -> str:
    """One object, for people to read as well."""
    return _dump(as_object(noun, row), 2)


def array(noun: Noun, rows: Iterable[Any]) -> str:
    """An array of objects; ``[]`` when there is none."""
    return _dump([as_object(noun, row) for row in rows], 2)


def _dump(value: Any, indent: int | None) -> str:
    document = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False, default=str)
    return harmless_json(document) + "\n"
