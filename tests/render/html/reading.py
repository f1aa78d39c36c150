"""A page as a tree, read by the standard library's parser; it refuses what is not well nested."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Node:
    """An element; ``children`` are texts and elements."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Node | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        parts = [each if isinstance(each, str) else each.text for each in self.children]
        return "".join(parts)

    def all(self, tag: str, class_: str | None = None) -> Iterator[Node]:
        """The elements in it with that tag, in their order."""
        for child in self.children:
            if isinstance(child, Node):
                classes = child.attributes.get("class", "").split()
                if child.tag == tag and (class_ is None or class_ in classes):
                    yield child
                yield from child.all(tag, class_)

    def table(self, caption: str) -> list[list[str]]:
        """The texts of a table's rows, headings first."""
        [found] = [each for each in self.all("table") if next(each.all("caption")).text == caption]
        return [
            [cell.text for cell in row.children if isinstance(cell, Node)]
            for row in found.all("tr")
        ]

    def tags(self) -> set[str]:
        inner = [each for each in self.children if isinstance(each, Node)]
        return {self.tag}.union(*(each.tags() for each in inner))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Node("")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"{tag} has an attribute twice"
        made = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(made)
        if tag != "meta":
            self.open.append(made)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError("a page has no comments")


def read(page: str) -> Node:
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert len(reader.open) == 1, f"{reader.open[-1].tag} is not closed"
    return reader.open[0]


def facts(found: Node) -> dict[str, str]:
    """What the words of a page's lists of facts stand for."""
    pairs = [each for each in found.all("div") if {"dt", "dd"} <= each.tags()]
    return {
        next(each.all("dt")).text: " | ".join(dd.text for dd in each.all("dd"))
        for each in pairs
        if each.attributes.get("class") is None
    }
