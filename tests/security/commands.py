"""Every command that ``aimeter`` has, found as ``aimeter`` itself finds them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aimeter_cli.cli.lazy import load
from aimeter_cli.cli.registry import COMMANDS

ENDLESS = ("webhooks serve", "sandbox")
"""These run until they are stopped."""

_WRITES = (*ENDLESS, "init", "db backup")
"""These change something and have no ``--dry-run``."""


@dataclass(frozen=True)
class Command:
    """``words`` as they are typed; ``params`` as Typer describes them."""

    words: tuple[str, ...]
    params: tuple[Any, ...]

    @property
    def name(self) -> str:
        return " ".join(self.words)

    @property
    def arguments(self) -> list[Any]:
        return [param for param in self.params if param.param_type_name == "argument"]

    @property
    def options(self) -> list[Any]:
        """Those that take a value."""
        options = [param for param in self.params if param.param_type_name == "option"]
        return [param for param in options if not param.is_flag]

    @property
    def is_reading(self) -> bool:
        return self.name not in _WRITES and not self.has("--dry-run")

    def has(self, option: str) -> bool:
        return any(option in param.opts for param in self.params)


def commands() -> list[Command]:
    """All of them, in the order of ``--help``."""
    return [command for entry in COMMANDS for command in _under(load(entry), (entry.name,))]


def _under(found: Any, words: tuple[str, ...]) -> Iterator[Command]:
    inner = getattr(found, "commands", None)
    if inner is None:
        yield Command(words, tuple(found.params))
        return
    for name, each in inner.items():
        yield from _under(each, (*words, name))
