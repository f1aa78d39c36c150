"""Plans in what an event changed: by their slugs, as people and the other commands name them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from aimeter_cli.webhooks.results import Change

_FIELDS = {"plan_id": "plan", "next_plan_id": "next_plan"}
PLAN_COLUMNS = frozenset({*_FIELDS, "plan_history"})
PLAN_FIELDS = (*_FIELDS.values(), "plan_changes_at", "plan_history")
"""The fields of changes that tell of a subscription's plans."""


def with_slugs(changes: Iterable[Change], slug: Callable[[int], str]) -> Iterator[Change]:
    """``plan`` and ``next_plan`` are slugs; ``plan_history`` is a text: ``pro until 2026-…``."""

    def named(plan: int | None) -> str | None:
        return None if plan is None else slug(plan)

    def told(history: Sequence[Mapping[str, Any]]) -> str | None:
        spans = (f"{slug(span['plan_id'])} until {span['until']}" for span in history)
        return ", ".join(spans) or None

    for each in changes:
        if each.field in _FIELDS:
            field = _FIELDS[each.field]
            yield replace(each, field=field, before=named(each.before), after=named(each.after))
        elif each.field == "plan_history":
            yield replace(each, before=told(each.before), after=told(each.after))
        else:
            yield each
