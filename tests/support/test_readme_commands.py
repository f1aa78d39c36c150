"""Every ``aimeter …`` in the README names a command that there is, and options that it has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from aimeter_cli.cli.global_options import FLAGS, VALUED
from aimeter_cli.cli.lazy import load
from aimeter_cli.cli.registry import COMMANDS

README = Path(__file__).parents[2] / "README.md"
_GLOBAL = {*FLAGS, *VALUED, "--help", "--install-completion", "--show-completion"}
_CODE = re.compile(r"`([^`]+)`")
_COMMAND = re.compile(r"(?:^|[\s/])aimeter (?=[a-z-])")
_SHELL = re.compile(r"\$\([^)]*\)")
_END = re.compile(r"[`;|>#]|&&| \(| : ")


def _lines() -> list[str]:
    """What follows ``aimeter`` in code, up to the end of the command."""
    text = README.read_text(encoding="utf-8")
    fenced = re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    blocks = [block for language, block in fenced if language in ("", "sh", "crontab", "ini")]
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    inline = [code for part in re.split(r"\n\n|\n(?=[|-])", prose) for code in _CODE.findall(part)]
    lines = [" ".join(code.split()) for code in inline]
    lines += [line for block in blocks for line in block.splitlines()]
    parts = [part for line in lines for part in _COMMAND.split(_SHELL.sub("VALUE", line))[1:]]
    return sorted({_END.split(part)[0].strip() for part in parts} - {""})


def _options(command: Any) -> set[str]:
    return {word for each in command.params for word in (*each.opts, *each.secondary_opts)}


@pytest.mark.parametrize("line", _lines())
def test_a_command_of_the_readme_is_there_with_its_options(line: str) -> None:
    words = line.split()
    entries = {entry.name: entry for entry in COMMANDS}
    while words and words[0].startswith("--"):  # global options before the command
        assert words[0].partition("=")[0] in _GLOBAL
        words = words[1:] if words[0] in FLAGS else words[2:]
    if not words:
        return
    assert words[0] in entries
    command: Any = load(entries[words[0]])
    rest = words[1:]
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        names = rest[0].split("|")
        assert all(name in command.commands for name in names), names
        command, rest = command.commands[names[0]], rest[1:]
    options = {word.partition("=")[0].strip("[]") for word in rest if word.startswith(("-", "[-"))}
    assert options <= _options(command) | _GLOBAL | {"-"}
