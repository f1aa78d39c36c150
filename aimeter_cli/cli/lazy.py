"""The root group: commands are known by name and help, and loaded when they are invoked."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from inspect import cleandoc
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from aimeter_cli.cli import boundary
from aimeter_cli.cli.global_options import EPILOG, hoist, refuse_broken
from aimeter_cli.cli.registry import COMMANDS, Entry

_ENTRIES = {entry.name: entry for entry in COMMANDS}


class LazyGroup(TyperGroup):
    """Holds a stub for each entry of the registry; ``resolve_command`` loads the real one."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for entry in COMMANDS:
            self.add_command(TyperCommand(entry.name, help=entry.help))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        refuse_broken(args)
        return super().parse_args(ctx, hoist(args))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, load(_ENTRIES[name]) if name in _ENTRIES else command, rest

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run and end the process with the exit code that the error boundary chose."""

        def run() -> Any:
            return super(LazyGroup, self).main(
                args, prog_name, complete_var, False, windows_expand_args, **extra
            )

        if not standalone_mode:
            return run()
        sys.exit(boundary.exit_code(run))


def load(entry: Entry) -> TyperCommand | TyperGroup:
    """The command itself, under the registry's name and help."""
    found = getattr(import_module(f"aimeter_cli.cli.{entry.module}"), entry.attribute)
    command: Any
    if isinstance(found, typer.Typer):
        command = get_group(found)
        command.help = command.help or entry.help
    else:
        single = typer.Typer(add_completion=False)
        single.command(entry.name)(found)
        command = get_command(single)
    command.name = entry.name
    _finish_help(command)
    return command  # type: ignore[no-any-return]


def _finish_help(command: Any) -> None:
    """Paragraphs as wide as the terminal, and where global options go."""
    paragraphs = cleandoc(command.help or "").split("\n\n")
    command.help = "\n\n".join(" ".join(each.split("\n")) for each in paragraphs)
    command.epilog = f"{command.epilog}\n\n{EPILOG}" if command.epilog else EPILOG
    for inner in getattr(command, "commands", {}).values():
        _finish_help(inner)
