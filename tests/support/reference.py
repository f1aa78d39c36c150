"""The command reference of the README, from what ``aimeter COMMAND --help`` says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from inspect import cleandoc
from typing import Any

from aimeter_cli.cli.lazy import load
from aimeter_cli.cli.registry import COMMANDS, Entry

_CHOICES = re.compile(r"[<\[{]([\w-]+(?:\|[\w-]+)+)[>\]}]")


def command_reference() -> str:
    """Every command with what it does, an example and its options, noun by noun."""
    return "\n\n".join(_noun(entry) for entry in COMMANDS)


def _noun(entry: Entry) -> str:
    command: Any = load(entry)
    inner: dict[str, Any] = getattr(command, "commands", {"": command})
    lines = [f"### `aimeter {entry.name}`", "", entry.help, "", "```sh"]
    for each in inner.values():
        told, example = _told(each)
        lines += [f"# {told}", example]
    return "\n".join([*lines, "```", *_options(inner)])


def _told(command: Any) -> tuple[str, str]:
    """The first paragraph of a command's help, and its example."""
    paragraphs = [" ".join(part.split()) for part in cleandoc(command.help or "").split("\n\n")]
    examples = [part for part in paragraphs if part.startswith("Example: ")]
    if not examples:
        raise ValueError(f"the help of {command.name} has no example")
    return paragraphs[0], examples[-1].removeprefix("Example: ")


def _options(commands: dict[str, Any]) -> Iterator[str]:
    """A folded table: options that several commands have alike are one row that names these."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, command in commands.items():
        for option in _records(command):
            found.setdefault(option, []).append(name)
    if not found:
        return
    yield from ("", "<details><summary>Arguments and options</summary>", "")
    single = "" in commands
    yield "| Option | Meaning |" if single else "| Option | Of | Meaning |"
    yield "|---|---|" if single else "|---|---|---|"
    for (words, meaning), names in found.items():
        cells = [f"`{words}`", meaning] if single else [f"`{words}`", ", ".join(names), meaning]
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield from ("", "</details>")


def _records(command: Any) -> Iterator[tuple[str, str]]:
    """Each argument and option with its kind of value, and what ``--help`` says of it.

    Put together here, not by Typer: its wording of types differs from release to release.
    """
    context = command.make_context(command.name, [], resilient_parsing=True)
    for param in command.params:
        said = param.get_help_record(context)
        if said is None:
            continue
        choices = _CHOICES.search(said[0])
        value = param.metavar or (choices[1] if choices else "")
        names = [] if param.param_type_name == "argument" else [*param.opts, *param.secondary_opts]
        if not names and not value:
            value = param.name.upper()
        meaning = " ".join((param.help or "").split())
        if param.required and not param.envvar:
            meaning += " Required."
        elif isinstance(param.default, str | int) and not isinstance(param.default, bool):
            meaning += f" Default: {param.default}."
        yield " ".join([", ".join(names), value]).strip(), meaning.strip()
