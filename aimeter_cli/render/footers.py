"""What stands below a list on a terminal: how many, what they come to, and what to do next."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from string import Formatter
from typing import Any

from aimeter_cli.domain.money import Money
from aimeter_cli.render.cells import for_people
from aimeter_cli.render.noun import STATUS, Column, Noun


def footer_of(noun: Noun, rows: list[Any], summary: Sequence[str]) -> list[str]:
    """``3 wallets; balance 12.00 USD, 3.00 EUR``, or the ``summary``; then ``Next: aimeter …``."""
    return [*(summary or [_summary(noun, rows)]), f"Next: {_command(noun, rows[0])}"]


def _summary(noun: Noun, rows: list[Any]) -> str:
    parts = [f"{len(rows):,} {noun.name if len(rows) == 1 else plural(noun.name)}"]
    for column in noun.listed:
        if column.kind == STATUS and column.name == "status" and len(rows) > 1:
            counts = Counter(for_people(noun, column, row) for row in rows)
            parts[0] += ": " + ", ".join(f"{n:,} {word}" for word, n in counts.most_common())
    for name in noun.totals:
        column = noun.column(name)
        parts.append(f"{column.title.lower()} {', '.join(map(str, _sums(noun, column, rows)))}")
    return "; ".join(parts)


def plural(name: str) -> str:
    """``usage`` → ``usages``, ``delivery`` → ``deliveries``; of several words the last."""
    return name[:-1] + "ies" if name.endswith("y") else name + "s"


def _sums(noun: Noun, column: Column, rows: list[Any]) -> list[Money]:
    """By currency, sorted."""
    sums: dict[str, Money] = {}
    currency = noun.column(column.currency)
    for row in rows:
        value = column.value(row)
        if value is not None:
            code = currency.value(row)
            sums[code] = sums.get(code, Money(Decimal(0), code)) + Money(value, code)
    return [total for _, total in sorted(sums.items())]


def _command(noun: Noun, row: Any) -> str:
    """Fields of the row as words of a shell, whatever they hold."""
    names = [name for _, name, _, _ in Formatter().parse(noun.next) if name]
    return noun.next.format(
        **{name: shlex.quote(for_people(noun, noun.column(name), row)) for name in names}
    )
