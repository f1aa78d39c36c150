"""A page of several parts for people: each a heading, a few words, a table or some fields."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from aimeter_cli.render.noun import Noun
from aimeter_cli.render.output import Output
from aimeter_cli.render.safe import harmless


@dataclass(frozen=True, slots=True)
class Section:
    """``rows`` of ``noun`` make a table; ``row`` alone makes lines of field and value.

    ``lines`` follow the heading, ``footer`` the table.
    """

    title: str
    lines: Sequence[str] = ()
    noun: Noun | None = None
    rows: Sequence[Any] = ()
    row: Any = None
    footer: str = ""


def write_page(out: Output, sections: Iterable[Section]) -> None:
    """In the formats for people; text from outside cannot begin a line of its own."""
    mark = "## " if out.format == "markdown" else ""
    for number, section in enumerate(sections):
        if section.title:
            out.text(("\n" if number else "") + mark + harmless(section.title))
        for line in section.lines:
            out.text(harmless(line))
        if section.noun is not None and section.row is not None:
            out.one(section.noun, section.row)
        elif section.noun is not None:
            out.rows(section.noun, section.rows)
        if section.footer:
            out.text(harmless(section.footer))
