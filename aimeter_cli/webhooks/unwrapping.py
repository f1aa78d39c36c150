"""The events in a JSON value: itself, those of Stripe's list, or what a log has put around them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from aimeter_cli.webhooks.reading import DECODER

_DEEPEST = 5
_EVENTS = ("event", "v2.core.event")
_LIKE_EVENT = re.compile(
    r'\{.*("evt_|"object"\s*:\s*"(event|v2\.core\.event)"|"detail-type")'.replace('"', r'\\*"'),
    re.DOTALL,
)


def events_in(piece: str, value: Any) -> Iterator[tuple[str, Any]]:
    """(text, parsed value) of each event; the value itself where there is none in it.

    Events under any key, as a log or a queue keeps them, are found as objects and as texts.
    """
    found = list(_found(value, _DEEPEST)) if _is_wrapping(value) else []
    if not found and not _is_list(value):
        yield piece, value
    for text, event in found:
        yield text or json.dumps(event, separators=(",", ":")), event


def is_event(value: Any) -> bool:
    """Whether it is an event, or EventBridge's envelope, whole or not."""
    return isinstance(value, Mapping) and (value.get("object") in _EVENTS or _is_envelope(value))


def is_like_event(text: str) -> bool:
    """Whether a text that cannot be parsed may have been an event."""
    return _LIKE_EVENT.search(text) is not None


def _found(value: Any, depth: int) -> Iterator[tuple[str | None, Any]]:
    """(the event's own text where it has one, the event)"""
    if not depth:
        return
    if isinstance(value, str):
        yield from _found_in_text(value, depth)
    elif isinstance(value, list):
        for element in value:
            yield from _found(element, depth - 1)
    elif _is_list(value):
        # Stripe lists the newest first: reversed, events of one second keep their order.
        yield from ((None, element) for element in reversed(value["data"]))
    elif isinstance(value, Mapping):
        kind = value.get("object")
        if kind in _EVENTS:
            yield None, value
        elif not isinstance(kind, str):
            for member in value.values():
                yield from _found(member, depth - 1)


def _found_in_text(text: str, depth: int) -> Iterator[tuple[str | None, Any]]:
    begin = text.find("{")
    if begin < 0 or '"event"' not in text.replace("\\", ""):
        return
    try:
        value, end = DECODER.raw_decode(text, begin)
    except (ValueError, RecursionError):
        return
    is_event = isinstance(value, Mapping) and value.get("object") in _EVENTS
    if is_event:
        yield text[begin:end], value
    else:
        yield from _found(value, depth - 1)


def _is_wrapping(value: Any) -> bool:
    """Not an event, nor EventBridge's envelope, which is kept whole; nor another object of
    Stripe's, which may hold texts of anybody."""
    if not isinstance(value, Mapping):
        return False
    is_stripes = isinstance(value.get("object"), str | Mapping) and not _is_list(value)
    return not is_stripes and not _is_envelope(value)


def _is_envelope(value: Mapping[str, Any]) -> bool:
    return "detail-type" in value and isinstance(value.get("detail"), Mapping)


def _is_list(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and value.get("object") == "list"
        and isinstance(value.get("data"), list)
    )
