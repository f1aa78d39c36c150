"""The first half of the inbox: every event is stored, once, before anything is done with it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlmodel import Session

from aimeter_cli.domain.stripe_events import NotAnEvent, StripeEvent
from aimeter_cli.repositories.webhook_events import (
    EventState,
    store_events,
    stored_payload,
    stored_states,
)
from aimeter_cli.webhooks.reading import Incoming
from aimeter_cli.webhooks.results import EventResult

UNKNOWN_TYPE = "unknown"
_PREFIX = "quarantined:"
_OTHER_CONTENT = "an event of this id with other content is stored already"

Key = tuple[bool, str]
"""(livemode, event id)"""


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event that came through a door."""

    incoming: Incoming
    event: StripeEvent

    @property
    def key(self) -> Key:
        return self.event.livemode, self.event.id


@dataclass(frozen=True, slots=True)
class Rubbish:
    """What came through a door and cannot be handled; ``fault`` says why."""

    incoming: Incoming
    fault: str
    event: StripeEvent | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a stored event stands."""

    row_id: int
    status: str
    error: str | None
    attempts: int

    @classmethod
    def of(cls, row: EventState) -> Standing:
        return cls(row.id, row.status, row.error, row.attempts)


@dataclass(frozen=True, slots=True)
class Stored:
    """``events`` wait to be handled; ``quarantined`` have their results, by place of arrival."""

    events: Sequence[Arrival]
    quarantined: Mapping[int, EventResult]
    standings: Mapping[Key, Standing]

    def in_order(self, results: Sequence[EventResult]) -> list[EventResult]:
        """The results of ``events`` with those of the quarantined, as they arrived."""
        rest = iter(results)
        total = len(results) + len(self.quarantined)
        return [self.quarantined.get(place) or next(rest) for place in range(total)]


def arrive(incoming: Incoming) -> Arrival | Rubbish:
    try:
        return Arrival(incoming, incoming.parse())
    except NotAnEvent as error:
        return Rubbish(incoming, error.message)


def store(session: Session, arrived: Sequence[Arrival | Rubbish], now: datetime) -> Stored:
    """Store what is new: events as ``received``, all else as ``quarantined``."""
    first = {each.key: each for each in reversed(arrived) if isinstance(each, Arrival)}
    store_events(session, [_event_row(key, each, now) for key, each in first.items()])
    states = stored_states(session, [event_id for _, event_id in first])
    good: list[Arrival] = []
    bad: dict[int, Rubbish] = {}
    for place, each in enumerate(arrived):
        if isinstance(each, Rubbish):
            bad[place] = each
        elif _is_same(session, each, states[each.key]):
            good.append(each)
        else:
            bad[place] = Rubbish(each.incoming, _OTHER_CONTENT, each.event)
    store_events(session, _quarantine_rows(bad.values(), now))
    return Stored(
        good,
        {place: _quarantined(each) for place, each in bad.items()},
        {key: Standing.of(state) for key, state in states.items()},
    )


def quarantine_id(raw: str) -> str:
    """A synthetic event id that no event of Stripe can have; the same text has the same one."""
    return _PREFIX + sha256(raw.encode("utf-8", "surrogateescape")).hexdigest()


def _is_same(session: Session, arrival: Arrival, state: EventState) -> bool:
    """Whether it is the stored event. The same one rendered for another API version is."""
    if state.digest == arrival.incoming.digest:
        return True
    try:
        stored = Incoming("", stored_payload(session, state.id)).parse()
    except NotAnEvent:
        return True  # its payload is not kept any more: there is nothing to contradict
    event = arrival.event
    is_other_version = stored.api_version != event.api_version and stored.type == event.type
    return is_other_version or stored.content == event.content


def _quarantined(each: Rubbish) -> EventResult:
    source, synthetic = each.incoming.source, quarantine_id(each.incoming.raw)
    if each.event is None:
        return EventResult(source, synthetic, UNKNOWN_TYPE, "quarantined", error=each.fault)
    reason = f"{each.fault}; kept as {synthetic}"
    return EventResult(source, each.event.id, each.event.type, "quarantined", error=reason)


def _event_row(key: Key, arrival: Arrival, now: datetime) -> dict[str, Any]:
    event = arrival.event
    return {
        "event_id": key[1],
        "livemode": key[0],
        "type": event.type,
        "object_id": event.object_id,
        "created": event.created,
        "payload": arrival.incoming.text,
        "digest": arrival.incoming.digest,
        "status": "received",
        "error": None,
        "attempts": 0,
        "attempt_count": event.attempt_count,
        "received_at": now,
    }


def _quarantine_rows(rubbish: Collection[Rubbish], now: datetime) -> list[dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for each in rubbish:
        synthetic = quarantine_id(each.incoming.raw)
        text = each.incoming.raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        rows[synthetic] = {
            "event_id": synthetic,
            "livemode": each.event.livemode if each.event is not None else False,
            "type": each.event.type if each.event is not None else UNKNOWN_TYPE,
            "object_id": None,
            "created": each.event.created if each.event is not None else now,
            "payload": text.replace("\0", "\N{REPLACEMENT CHARACTER}"),
            "digest": synthetic.removeprefix(_PREFIX),
            "status": "quarantined",
            "error": each.fault,
            "attempts": 0,
            "attempt_count": None,
            "received_at": now,
        }
    return list(rows.values())
