"""``[[event_sinks]]``: where domain events are delivered to, and the setting's parsers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aimeter_cli.domain.events import EventName
from aimeter_cli.errors import InvalidInput
from aimeter_cli.settings import entries, parse

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
    tables = entries.array(value, "event_sinks")
    sinks = tuple(_sink(table, f"sink {position}") for position, table in enumerate(tables, 1))
    entries.refuse_twins(sinks, "sinks")
    return sinks


def event_listeners(value: Any) -> tuple[str, ...]:
    """An array of dotted paths, or a text of them separated by commas."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return entries.texts(value)


def _sink(value: Any, which: str) -> EventSink:
    which, given = entries.table(value, which, _PARSERS)
    if bool(given.get("command")) == bool(given.get("url")):
        raise InvalidInput(f"{which}: expected either command or url")
    if bool(given.get("url")) != bool(given.get("secret_env")):
        raise InvalidInput(
            f"{which}: secret_env: the variable that holds the secret by which a url's deliveries "
            "are signed; required with url, and only there"
        )
    defaults: dict[str, Any] = {
        "command": (), "url": "", "secret_env": "", "events": _USUAL, "timeout_seconds": _TIMEOUT,
    }  # fmt: skip
    return EventSink(**(defaults | given))


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


def _names(value: Any) -> frozenset[EventName]:
    for name in entries.texts(value):
        if name not in set(EventName):
            raise InvalidInput(f"unknown event {name!r}: expected {', '.join(EventName)}")
    return frozenset(map(EventName, value))


_PARSERS: dict[str, Callable[[Any], Any]] = {
    "name": entries.name,
    "command": entries.texts,
    "url": _address,
    "secret_env": entries.variable,
    "events": _names,
    "timeout_seconds": parse.whole(1, 300),
}
