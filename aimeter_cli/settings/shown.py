"""Settings as they may be shown: secrets masked, passwords of URLs hidden."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aimeter_cli.settings.load import Loaded
from aimeter_cli.settings.secrets import masked, without_password
from aimeter_cli.settings.table import ROWS


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """A setting with its value as text, and where the value comes from."""

    key: str
    value: str
    source: str
    variable: str
    path: str
    help: str


def shown_settings(loaded: Loaded) -> list[ShownSetting]:
    """Every setting, in the table's order."""
    return [
        ShownSetting(
            row.key,
            _shown(getattr(loaded.settings, row.key), secret=row.setting.secret),
            loaded.sources[row.key],
            row.variable,
            row.path,
            row.setting.help,
        )
        for row in ROWS
    ]


def _shown(value: Any, *, secret: bool) -> str:
    if secret:
        parts = value if isinstance(value, tuple) else (value,)
        return ", ".join(masked(str(part)) for part in parts)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, timedelta):
        return _duration(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name} = {_member(member)}" for name, member in value.items())
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return without_password(str(value))


def _member(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {_member(item)}" for name, item in value.items()) + " }"
    return str(value)


def _duration(value: timedelta) -> str:
    seconds = int(value.total_seconds())
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
