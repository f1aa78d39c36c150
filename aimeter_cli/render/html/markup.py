"""HTML elements. Whatever is not markup already is escaped, so that no text becomes an element."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from aimeter_cli.render.safe import harmless

LONGEST = 200
"""Characters of a text from outside that are shown; nothing that names a thing needs more."""
_VOID = frozenset({"meta"})


class Markup(str):
    """Text that is HTML already. Made here only."""

    __slots__ = ()


LINE = Markup("\n")
Child = str | Iterable["Child"] | None
"""A text to be escaped, markup, several of them, or nothing."""


def element(name: str, /, *children: Child, **attributes: str | int | None) -> Markup:
    """``element("td", text, class_="right")``; attributes that are None are left out."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(harmless(str(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{joined(*children)}</{name}>")


def joined(*children: Child) -> Markup:
    """One after another, without an element around them."""
    return Markup("".join(map(_markup, children)))


def document(head: Child, body: Child) -> Markup:
    """A whole page in English."""
    parts = element("head", head), LINE, element("body", body), LINE
    return Markup(f"<!doctype html>\n{element('html', LINE, parts, lang='en')}\n")


def style(css: str) -> Markup:
    """Our own style sheet, as it is: its hash stands in the page's policy."""
    if "<" in css:
        raise ValueError("a style sheet cannot hold '<': it would end the element")
    return Markup(f"<style>{css}</style>")


def clipped(text: str) -> str:
    """The text, or its beginning and how long it is."""
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}… ({len(text):,} characters)"


def _markup(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str):
        return escape(harmless(child))
    return joined(*child)
