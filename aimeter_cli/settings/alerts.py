"""``[[alerts]]``: who is told what needs a person, and the setting's parser."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from aimeter_cli.domain.alerts import CONDITIONS, ONCE, AlertKind
from aimeter_cli.domain.events import EventName
from aimeter_cli.errors import InvalidInput
from aimeter_cli.settings import entries, parse


@dataclass(frozen=True, slots=True)
class AlertSink:
    """``command`` gets JSON on stdin, or the variable ``slack_env`` holds a Slack-compatible
    address, which is a secret.

    The thresholds: ``sync_silence`` without a success of the sync or a clear answer of Stripe;
    ``jobs``: the same of other commands; ``webhook_silence`` without an event; ``rate_margin``
    before a source's rates are too old; ``wallet_low`` by currency, "" for any other.
    """

    name: str
    kinds: frozenset[AlertKind] = frozenset(AlertKind)
    command: tuple[str, ...] = ()
    slack_env: str = ""
    repeat: timedelta = timedelta(days=1)
    resolve_after: timedelta = timedelta(minutes=30)
    timeout_seconds: int = 10
    sync_silence: timedelta = timedelta(hours=1)
    jobs: Mapping[str, timedelta] = field(default_factory=dict)
    webhook_silence: timedelta = timedelta(days=3)
    rate_margin: timedelta = timedelta(days=1)
    wallet_low: Mapping[str, Decimal] = field(default_factory=dict)

    @property
    def events(self) -> frozenset[EventName]:
        """The names of what is delivered to it."""
        once = {name for name, kind in ONCE.items() if kind in self.kinds}
        return frozenset(once | {EventName.ALERT_RAISED, EventName.ALERT_RESOLVED})

    @property
    def conditions(self) -> frozenset[AlertKind]:
        """What is looked for: wallets only below a threshold."""
        unknown = frozenset() if self.wallet_low else {AlertKind.WALLET_LOW}
        return self.kinds & CONDITIONS - unknown

    def __str__(self) -> str:
        """Without the address."""
        return f"{self.name} → {self.command[0] if self.command else f'${self.slack_env}'}"


def alert_sinks(value: Any) -> tuple[AlertSink, ...]:
    """An array of tables, or its JSON. Raises InvalidInput, naming alert and key."""
    tables = entries.array(value, "alerts")
    sinks = tuple(_sink(table, f"alert {position}") for position, table in enumerate(tables, 1))
    entries.refuse_twins(sinks, "alerts")
    return sinks


def _sink(value: Any, which: str) -> AlertSink:
    which, given = entries.table(value, which, _PARSERS)
    if bool(given.get("command")) == bool(given.get("slack_env")):
        raise InvalidInput(
            f"{which}: expected either command or slack_env, the variable that holds the address"
        )
    return AlertSink(**given)


def _kinds(value: Any) -> frozenset[AlertKind]:
    for kind in entries.texts(value):
        if kind not in set(AlertKind):
            raise InvalidInput(f"unknown kind {kind!r}: expected {', '.join(AlertKind)}")
    return frozenset(map(AlertKind, value))


def _jobs(value: Any) -> Mapping[str, timedelta]:
    found = {}
    for command, silence in parse.table(value).items():
        try:
            found[command] = parse.duration(silence)
        except InvalidInput as error:
            raise InvalidInput(f"{command}: {error.message}") from None
    return found


def _amounts(value: Any) -> Mapping[str, Decimal]:
    """An amount in whatever currency a wallet has, or a table of amounts by currency."""
    if not isinstance(value, Mapping):
        return {"": parse.limit(value)}
    found = {}
    for currency, amount in value.items():
        try:
            found[parse.currency(currency)] = parse.limit(amount)
        except InvalidInput as error:
            raise InvalidInput(f"{currency}: {error.message}") from None
    return found


_PARSERS: dict[str, Callable[[Any], Any]] = {
    "name": entries.name,
    "kinds": _kinds,
    "command": entries.texts,
    "slack_env": entries.variable,
    "repeat": parse.duration,
    "resolve_after": parse.duration,
    "timeout_seconds": parse.whole(1, 300),
    "sync_silence": parse.duration,
    "jobs": _jobs,
    "webhook_silence": parse.duration,
    "rate_margin": parse.duration,
    "wallet_low": _amounts,
}
