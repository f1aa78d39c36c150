"""``python -m tests.support.documents --check | --write``: documents that are made from the code.

``config.example.toml`` is made whole, from the settings table; the README's parts between markers
``<!-- NAME: made by make documents -->`` and ``<!-- end of NAME -->`` from the settings table and
from what ``aimeter COMMAND --help`` says; the pictures of the README from what commands print.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from aimeter_cli.settings.example import example_toml
from aimeter_cli.settings.table import ROWS, Row
from tests.screens.pictures import pictures
from tests.support.reference import command_reference

CHECKOUT = Path(__file__).resolve().parents[2]
PICTURES = Path(".github", "screens")


def configuration_table() -> str:
    """Key, variable, default and help of every setting."""
    lines = ["| In `aimeter.toml` | Variable | Default | Meaning |", "|---|---|---|---|"]
    lines += [
        f"| {_path(row)} | `{row.variable}` | {_default(row)} | {_cell(row.setting.help)} |"
        for row in ROWS
    ]
    return "\n".join(lines)


PARTS: dict[str, Callable[[], str]] = {
    "configuration": configuration_table,
    "commands": command_reference,
}


def updated(readme: str) -> str:
    """The README with its made parts as they should be. Raises ValueError without its markers."""
    for name, make in PARTS.items():
        begin, end = f"<!-- {name}: made by make documents -->", f"<!-- end of {name} -->"
        pattern = re.compile(f"{re.escape(begin)}\n.*?{re.escape(end)}", re.DOTALL)
        parts = pattern.findall(readme)
        if len(parts) != 1:
            raise ValueError(f"README.md has {len(parts)} parts between {begin} and {end}")
        readme = readme.replace(parts[0], f"{begin}\n{make()}\n{end}")
    return readme


def documents(checkout: Path = CHECKOUT) -> Iterator[tuple[Path, str]]:
    """Each file with the text that it should hold."""
    yield checkout / "config.example.toml", example_toml()
    readme = checkout / "README.md"
    yield readme, updated(readme.read_text(encoding="utf-8"))
    for name, picture in pictures():
        yield checkout / PICTURES / name, picture


def main(args: list[str] | None = None) -> int:
    """Exit 1 if ``--check`` finds one that is out of date."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.documents", description=__doc__)
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--check", action="store_true")
    choice.add_argument("--write", action="store_true")
    given = parser.parse_args(args)
    stale = [
        (file, text)
        for file, text in documents()
        if not file.exists() or file.read_text(encoding="utf-8") != text
    ]
    for file, text in stale:
        if given.write:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        print(f"{file.name} {'was written' if given.write else 'is out of date: make documents'}")
    return 1 if stale and given.check else 0


def _path(row: Row) -> str:
    if row.setting.secret:
        return "–"
    return f"`[{row.path}]`" if row.is_table else f"`{row.path}`"


def _default(row: Row) -> str:
    value = row.default
    if row.is_table or value == "":
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    days = getattr(value, "days", None)
    return f"`{days}d`" if days is not None else f"`{value}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
