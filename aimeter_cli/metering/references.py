"""Who is billed, as an application says it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import InvalidInput

Resolver = Callable[[Any], Any]


def reference_of(value: object, resolve: Resolver | None = None) -> BillableRef:
    """``"user:42"``, ``("user", 42)``, or an object with ``billable_type`` and ``billable_id``.

    ``resolve`` turns any other object into one of these. Raises InvalidInput.
    """
    found = _plain(value)
    if found is None and resolve is not None:
        found = _plain(resolve(value))
    if found is None:
        raise InvalidInput(
            f"a {type(value).__name__} is not a billable: expected 'user:42', ('user', 42) or an "
            "object with billable_type and billable_id",
            hint="Set billable_resolver to a function that turns such objects into 'TYPE:ID'.",
        )
    return found


def _plain(value: object) -> BillableRef | None:
    if isinstance(value, BillableRef):
        return value
    if isinstance(value, str):
        return BillableRef.parse(value)
    if isinstance(value, tuple) and len(value) == 2:
        return _pair(*value)
    kind, ident = (getattr(value, name, None) for name in ("billable_type", "billable_id"))
    return None if kind is None or ident is None else _pair(kind, ident)


def _pair(kind: object, ident: object) -> BillableRef:
    if ":" in str(kind):
        raise InvalidInput(f"{kind!r} is not a billable's type: expected one such as 'user'")
    return BillableRef.parse(f"{kind}:{ident}")
