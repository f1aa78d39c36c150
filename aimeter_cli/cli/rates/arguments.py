"""Arguments and options of several verbs, and what is said of held rates."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

import typer

from aimeter_cli.cli.options import moment
from aimeter_cli.domain.currency import currency_code

Base = Annotated[str, typer.Argument(metavar="BASE", parser=currency_code, help="Such as usd.")]
Quote = Annotated[str, typer.Argument(metavar="QUOTE", parser=currency_code, help="Such as eur.")]
At = Annotated[
    datetime | None, typer.Option(parser=moment("--at"), metavar="TIME", help="Default: now.")
]
Source = Annotated[str | None, typer.Option(metavar="TEXT", help="Where it comes from.")]


def how_to_confirm(held_ids: Iterable[int | None]) -> str:
    """The command that puts these held rates in force."""
    return f"aimeter rates confirm {' '.join(str(held) for held in held_ids if held is not None)}"
