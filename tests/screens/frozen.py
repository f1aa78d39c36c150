"""A world that stands still: one time, one host, and ids that are the same every time."""

from __future__ import annotations

import hashlib
import random
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

import pytest

NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)
"""When the screens are looked at."""


class Clock:
    """The time of everything: the command's, and the database's."""

    def __init__(self) -> None:
        self.now = NOW

    def at(self, text: str) -> None:
        self.now = datetime.fromisoformat(text).replace(tzinfo=UTC)


@contextmanager
def frozen(folder: Path, clock: Clock) -> Iterator[pytest.MonkeyPatch]:
    """Everything that differs from run to run is the same here, in a folder that is the world's."""

    class Standing(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            del tz
            return clock.now

    made = 0

    def next_uuid() -> uuid.UUID:
        nonlocal made
        made += 1
        return uuid.UUID(hashlib.md5(f"{clock.now}{made}".encode()).hexdigest())

    def middle(low: float, high: float) -> float:
        return (low + high) / 2

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aimeter_cli.app.datetime", Standing)
        patch.setattr("aimeter_cli.db.clock.datetime", Standing)
        patch.setattr(uuid, "uuid4", next_uuid)
        patch.setattr(random, "uniform", middle)
        patch.setattr(socket, "gethostname", lambda: "worker-1")
        patch.setattr(time, "monotonic", lambda: 1000.0)
        patch.chdir(folder)
        patch.setattr(Path, "cwd", Path)  # so that no path names the folder
        yield patch
