"""Classes that are chosen by a built-in name, an entry point or a dotted path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from aimeter_cli.errors import ConfigurationError
from aimeter_cli.settings.dotted import load_dotted


@dataclass(frozen=True, slots=True)
class Plugins:
    """One ``kind`` of them, such as billing drivers.

    ``built_in``: paths by name. ``group``: of entry points. ``members``: what a class must have.
    """

    kind: str
    group: str
    built_in: Mapping[str, str]
    members: tuple[str, ...]

    def find(self, name: str) -> type[Any] | None:
        """The class; None for a plain name that nobody has registered.

        A path is ``package.module.Class`` or ``package.module:Class``. Raises ConfigurationError
        that names what was looked for.
        """
        path = self.built_in.get(name) or self._from_entry_points(name) or name
        if "." not in path and ":" not in path:
            return None
        found = load_dotted(path, self.kind)
        if not isinstance(found, type):
            raise ConfigurationError(f"{self.kind} {name!r} is not a class")
        missing = [member for member in self.members if not hasattr(found, member)]
        if missing:
            raise ConfigurationError(
                f"{self.kind} {name!r} has no {', '.join(missing)}: it is no {self.kind}"
            )
        return found

    def names(self) -> list[str]:
        """Those that go by a plain name."""
        return sorted({*self.built_in, *(point.name for point in entry_points(group=self.group))})

    def _from_entry_points(self, name: str) -> str | None:
        found = entry_points(group=self.group, name=name)
        return next((point.value for point in found), None)
