"""Options that many commands share, and parsers that name the option in their errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import typer

from aimeter_cli.cli import completion
from aimeter_cli.domain.currency import currency_code
from aimeter_cli.domain.money import parse_amount
from aimeter_cli.domain.periods import parse_time
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import InvalidInput

_GROUPED = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?|\d+(_\d+)+(\.\d+)?")
_WHOLE = re.compile(r"\d{1,18}")


def _ungrouped(text: str, option: str) -> str:
    """``1,000,000`` and ``1_000_000`` → ``1000000``. A lone decimal comma is refused."""
    text = text.strip()
    if "," not in text and "_" not in text:
        return text
    if not _GROUPED.fullmatch(text):
        raise InvalidInput(f"{option}: {text!r} is not a number such as 1000000 or 1,000,000")
    return text.replace(",", "").replace("_", "")


def whole(option: str) -> Callable[[str], int]:
    """A parser of whole numbers from 0; digits may be grouped by ``,`` or ``_``."""

    def parse(text: str) -> int:
        digits = _ungrouped(str(text), option)
        if not _WHOLE.fullmatch(digits):
            raise InvalidInput(f"{option}: {text!r} is not a whole number such as 1000000")
        return int(digits)

    return parse


def amount(option: str) -> Callable[[str], Decimal]:
    """A parser of amounts from 0, of at most nine places."""

    def parse(text: str) -> Decimal:
        value = parse_amount(_ungrouped(str(text), option), option)
        if value < 0:
            raise InvalidInput(f"{option}: cannot be negative, got {text}")
        return value

    return parse


def moment(option: str) -> Callable[[str], datetime]:
    """A parser of times: ISO 8601 with its offset, or a date."""
    return lambda text: parse_time(str(text), option)


def pairs(option: str, words: Sequence[str]) -> dict[str, str]:
    """``k=v`` words → a mapping. Raises InvalidInput, naming the option."""
    found: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key.strip():
            raise InvalidInput(f"{option}: {word!r} is not of the form KEY=VALUE")
        if key in found:
            raise InvalidInput(f"{option}: {key} is given twice")
        found[key] = value
    return found


def given(**options: Any) -> Any:
    """The options that were given, by name; None means that one was not. A dict, typed by use."""
    return {name: value for name, value in options.items() if value is not None}


DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change; change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Agree without being asked.")]
AS_LISTED = "As plans list shows it."
Plan = Annotated[
    str | None,
    typer.Option(metavar="SLUG", help=AS_LISTED, autocompletion=completion.plans),
]
Limit = Annotated[int | None, typer.Option(min=1, metavar="N", help="At most so many.")]
Currency = Annotated[
    str | None,
    typer.Option(
        parser=currency_code,
        metavar="CODE",
        help="Three letters, such as usd.",
        autocompletion=completion.currencies,
    ),
]
BillableArgument = Annotated[
    BillableRef,
    typer.Argument(
        metavar="TYPE:ID",
        parser=BillableRef.parse,
        help="Such as user:42.",
        autocompletion=completion.billables,
    ),
]
BillableOption = Annotated[
    BillableRef | None,
    typer.Option(
        "--billable",
        metavar="TYPE:ID",
        parser=BillableRef.parse,
        help="Such as user:42.",
        autocompletion=completion.billables,
    ),
]
Customer = Annotated[str | None, typer.Option("--stripe-customer", metavar="cus_…")]
