"""``[[event_sinks]]``: where domain events are delivered to, and the setting's parsers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aimeter_cli.domain.events import EventName
from aimeter_cli.errors import InvalidInput
from aimeter_cli.settings import parse

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_USUAL = frozenset(EventName) - {EventName.USAGE_RECORDED}
_TIMEOUT = 10


@dataclass(frozen=True, slots=True)
class EventSink:
    """``command`` gets the event on stdin, or ``url`` in a POST that is signed with the secret in
    the variable ``secret_env``. ``events``: the names that it wants."""

    name: str
    command: tuple[str, ...]
    url: str
    secret_env: str
    events: frozenset[EventName]
    timeout_seconds: int

    def __str__(self) -> str:
        """Without what an address may hold of secrets."""
        from urllib.parse import urlsplit

        to = self.command[0] if self.command else urlsplit(self.url).hostname
        return f"{self.name} → {to}"


def event_sinks(value: Any) -> tuple[EventSink, ...]:
    """An array of tables, or its JSON. Raises InvalidInput, naming sink and key."""
    tables = _array(value)
    sinks = tuple(_sink(table, f"sink {position}") for position, table in enumerate(tables, 1))
    names = [sink.name for sink in sinks]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidInput(f"{twice}: two sinks have this name")
    return sinks


def event_listeners(value: Any) -> tuple[str, ...]:
    """An array of dotted paths, or a text of them separated by commas."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return _texts(value)


def _array(value: Any) -> Sequence[Any]:
    if isinstance(value, str):
        import json

        try:
            value = json.loads(value)
        except ValueError:
            raise InvalidInput("expected a JSON array of objects") from None
    if not isinstance(value, list):
        raise InvalidInput(f"expected an array of tables, [[event_sinks]], got {value!r}")
    return value


def _sink(value: Any, which: str) -> EventSink:
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{which}: expected a table, got {value!r}")
    which = str(value.get("name", which))
    unknown = set(value) - set(_PARSERS)
    if unknown:
        expected = ", ".join(_PARSERS)
        raise InvalidInput(f"{which}: unknown key {sorted(unknown)[0]!r}: expected {expected}")
    given = {}
    for key, said in value.items():
        try:
            given[key] = _PARSERS[key](said)
        except InvalidInput as error:
            raise InvalidInput(f"{which}: {key}: {error.message}") from None
    if "name" not in given:
        raise InvalidInput(f"{which}: name: required")
    if bool(given.get("command")) == bool(given.get("url")):
        raise InvalidInput(f"{which}: expected either command or url")
    if bool(given.get("url")) != bool(given.get("secret_env")):
        raise InvalidInput(
            f"{which}: secret_env: the variable that holds the secret by which a url's deliveries "
            "are signed; required with url, and only there"
        )
    defaults = {
        "command": (), "url": "", "secret_env": "", "events": _USUAL, "timeout_seconds": _TIMEOUT,
    }  # fmt: skip
    return EventSink(**(defaults | given))


def _name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise InvalidInput(f"expected lower-case letters, digits, - and _, got {value!r}")
    return value


def _variable(value: Any) -> str:
    if not isinstance(value, str) or not _VARIABLE.fullmatch(value):
        raise InvalidInput("expected the name of an environment variable, never the secret itself")
    return value


def _address(value: Any) -> str:
    from urllib.parse import urlsplit

    try:
        address = parse.url(value)
        parts = urlsplit(address)
        _ = parts.port
    except (InvalidInput, ValueError):
        raise InvalidInput("expected an http(s) address") from None
    if parts.username is not None:
        raise InvalidInput("user and password do not belong in an address in a file")
    return address


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(part, str) and part for part in value):
        raise InvalidInput(f"expected an array of texts, got {value!r}")
    return tuple(value)


def _names(value: Any) -> frozenset[EventName]:
    for name in _texts(value):
        if name not in set(EventName):
            raise InvalidInput(f"unknown event {name!r}: expected {', '.join(EventName)}")
    return frozenset(map(EventName, value))


_PARSERS: dict[str, Callable[[Any], Any]] = {
    "name": _name,
    "command": _texts,
    "url": _address,
    "secret_env": _variable,
    "events": _names,
    "timeout_seconds": parse.whole(1, 300),
}
