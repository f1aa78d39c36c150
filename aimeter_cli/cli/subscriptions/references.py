"""How the verbs of ``aimeter subscriptions`` name what they are about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from aimeter_cli.cli import completion
from aimeter_cli.domain.references import BillableRef

Reference = Annotated[
    str,
    typer.Argument(
        metavar="TYPE:ID|NUMBER",
        help="Its billable, or its own number.",
        autocompletion=completion.billables,
    ),
]
Billables = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TYPE:ID…", help="Such as user:42.", autocompletion=completion.billables
    ),
]


def references(words: Sequence[str] | None) -> list[BillableRef]:
    """Raises InvalidInput."""
    return [BillableRef.parse(word) for word in words or ()]
