"""Options that go anywhere on the line: moved to the front before Typer parses it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from aimeter_cli.errors import InvalidInput

VALUED = ("--config", "--database-url", "--format", "--as-of", "--log-file")
FLAGS = ("--quiet", "-q", "--verbose", "-v", "--no-color", "--version")

EPILOG = (
    "Global options go anywhere on the line: --config --database-url --format --quiet --verbose "
    "--no-color --as-of --log-file (see aimeter --help)."
)


def hoist(args: Sequence[str]) -> list[str]:
    """The same arguments, global options first. What follows ``--`` is left alone.

    An option's value that looks like a global option needs the form ``--meta=-v``.
    """
    front: list[str] = []
    rest: list[str] = []
    remaining = list(args)
    while remaining:
        word = remaining.pop(0)
        if word == "--":
            rest += [word, *remaining]
            break
        if word in FLAGS or word.startswith(tuple(f"{name}=" for name in VALUED)):
            front.append(word)
        elif word in VALUED:
            front.append(word)
            front += remaining[:1]
            del remaining[:1]
        else:
            rest.append(word)
    return front + rest


def refuse_broken(args: Sequence[str]) -> None:
    """Raises InvalidInput for a word that no database can keep as it is, naming its option."""
    for before, word in pairwise(("", *args)):
        if any("\ud800" <= character <= "\udfff" for character in word):
            is_value = before.startswith("-") and "=" not in before and not word.startswith("-")
            option = before if is_value else word.partition("=")[0]
            place = option if option.startswith("-") else "argument"
            raise InvalidInput(
                f"{place}: {word[:80]!r} is not UTF-8 text", hint="Give a file as - on stdin."
            )
