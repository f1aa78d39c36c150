"""Tables that can be read aloud: figures to the right, rows stacked on narrow screens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aimeter_cli.render.html.markup import LINE, Child, Markup, element


@dataclass(frozen=True, slots=True)
class Heading:
    """``is_number``: its column is aligned to the right. ``is_bar``: it holds bars."""

    title: str
    is_number: bool = False
    is_bar: bool = False

    @property
    def class_(self) -> str | None:
        return "number" if self.is_number else "bars" if self.is_bar else None


def table(
    caption: Child,
    headings: Sequence[Heading],
    rows: Iterable[Sequence[Child]],
    *,
    total: Sequence[Child] = (),
) -> Markup:
    """The first cell of a row names it. ``total``: a last row, set apart.

    The roles are those that the elements have by themselves, until a style makes blocks of them.
    """
    head = element("tr", [_heading(each) for each in headings], role="row")
    body = [LINE, [(_row(headings, row), LINE) for row in rows]]
    foot = element("tfoot", _row(headings, total), role="rowgroup") if total else None
    return element(
        "table",
        element("caption", caption),
        element("thead", head, role="rowgroup"),
        element("tbody", body, role="rowgroup"),
        foot,
        role="table",
    )


def facts(pairs: Iterable[tuple[str, Child]]) -> Markup:
    """Words and what they stand for."""
    each = [element("div", element("dt", word), element("dd", what)) for word, what in pairs]
    return element("dl", each, class_="facts")


def _heading(heading: Heading) -> Markup:
    return element("th", heading.title, scope="col", role="columnheader", class_=heading.class_)


def _row(headings: Sequence[Heading], cells: Sequence[Child]) -> Markup:
    name, *others = cells
    return element(
        "tr",
        element("th", name, scope="row", role="rowheader"),
        [
            element("td", cell, role="cell", class_=heading.class_, data_label=heading.title)
            for heading, cell in zip(headings[1:], others, strict=True)
        ],
        role="row",
    )
