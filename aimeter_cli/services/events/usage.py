"""``UsageRecorded``: for listeners always, in the outbox only where a sink wants it, since one row
more for every usage doubles the writes."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session

from aimeter_cli.domain.events import Emitted, EventName
from aimeter_cli.repositories import outbox
from aimeter_cli.services.events.listeners import is_heard
from aimeter_cli.settings.table import Settings

_OURS = ("billable", "meta", "user")
"""Not for sinks: who it was stands with the event, the rest is the application's own."""


def is_wanted(settings: Settings) -> bool:
    """Whether anybody is to be told of usages: without, nothing is built."""
    return is_heard(EventName.USAGE_RECORDED) or _has_sink(settings)


def record_usages(session: Session, settings: Settings, usages: Sequence[Emitted]) -> None:
    """Tell what a batch has recorded, after its commit."""
    if is_heard(EventName.USAGE_RECORDED):
        outbox.remember(session, usages)
    if _has_sink(settings):
        outbox.store(session, [_public(usage) for usage in usages])


def _has_sink(settings: Settings) -> bool:
    return any(EventName.USAGE_RECORDED in sink.events for sink in settings.event_sinks)


def _public(usage: Emitted) -> Emitted:
    payload = {name: value for name, value in usage.payload.items() if name not in _OURS}
    return usage._replace(payload=payload)
