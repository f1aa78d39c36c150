"""What an endpoint's code is given: the transaction, the time, the parameters, who asks."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .settings import Settings

Json = dict[str, Any]


@dataclass(slots=True)
class Call:
    """One execution. ``now`` is the sandbox clock in whole epoch seconds.

    ``request`` is the ledger's sequence number, None for a person who acts between requests; ``by``
    is ``api`` or ``person``; ``object_id`` is the id in the path, empty for a collection;
    ``request_id`` and ``key`` are what the events that it makes tell of their cause.
    """

    db: sqlite3.Connection
    now: int
    account: str
    request: int | None = None
    by: str = "api"
    object_id: str = ""
    params: Json = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)
    request_id: str | None = None
    key: str | None = None


Handler = Callable[[Call], Json]
"""Executes an endpoint and returns its 200 body; raises :class:`.refusals.ApiError`."""
