"""One finding of the doctor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Check:
    """``failed``: the main job does not work; ``warning``: it does, but somebody should look."""

    name: str
    status: Verdict
    detail: str
    hint: str | None = None
