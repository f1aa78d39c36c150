"""Fields of responses, and counts of parts and wholes made disjoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aimeter_cli.providers.base import Tokens, UnreadableUsage


def field(document: object, *names: str) -> Any:
    """The first of these fields, of a mapping or an object, that is not None; else None."""
    is_mapping = isinstance(document, Mapping)
    for name in names:
        value = document.get(name) if is_mapping else getattr(document, name, None)  # type: ignore[attr-defined]
        if value is not None:
            return value
    return None


def text(document: object, *names: str) -> str | None:
    """None also if it is empty or no text."""
    value = field(document, *names)
    return value if isinstance(value, str) and value else None


def count(document: object, *names: str) -> int:
    """The first of these fields that is told, or 0. Raises UnreadableUsage."""
    told = next((name for name in names if field(document, name) is not None), names[0])
    return whole_number(field(document, told), told)


def whole_number(value: object, name: str) -> int:
    """0 for None. JSON of some servers has 12.0. Raises UnreadableUsage, naming the field."""
    if value is None:
        return 0
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise UnreadableUsage(name, value)
    return value


def disjoint(
    prompt: int, output: int, *, cached: int = 0, written: int = 0, reasoning: int = 0
) -> Tokens:
    """Classes of a prompt that includes its ``cached`` and ``written`` tokens, and of an output
    that includes its ``reasoning``.

    The wholes are what providers bill, and the parts say at which price. A part that is told
    larger than its whole, as happens, is cut to it: never a token more than the wholes, and in
    doubt the cheaper class, since reads of a cache come before writes, writes before fresh input.
    """
    cached = min(cached, prompt)
    written = min(written, prompt - cached)
    reasoning = min(reasoning, output)
    return prompt - cached - written, cached, written, output - reasoning, reasoning


def is_on_top(reasoning: int, rest: int, total: int, *, usually: bool) -> bool:
    """Whether reasoning is not included in the output, told by the response's own total.

    ``rest``: prompt and output. ``usually``: the provider's rule, where the total tells neither.
    """
    if total == rest + reasoning:
        return True
    return usually and total != rest
