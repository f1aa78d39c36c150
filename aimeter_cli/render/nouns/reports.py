"""Columns and JSON fields of a report on usage: those of the dimensions that were asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from aimeter_cli.render.bars import share_column
from aimeter_cli.render.noun import COUNT, LIST, MONEY, ROWS, TIME, Column, Noun

if TYPE_CHECKING:
    from aimeter_cli.render.terminal import Terminal
    from aimeter_cli.services.reports.usage import ReportRow

TOTAL = Noun(
    "total",
    (
        Column("currency", table=False),
        Column("requests", COUNT),
        Column("tokens", COUNT),
        Column("cost", MONEY),
        Column("charge", MONEY),
        Column("unpriced", COUNT),
    ),
    people=(
        Column("requests", COUNT, get=lambda row: row.requests or None),
        Column("tokens", COUNT, get=lambda row: row.tokens if row.requests else None),
        Column("cost", MONEY, get=lambda row: row.cost if row.requests else None),
        Column("charge", MONEY),
        Column("unpriced", COUNT),
    ),
)
_WIDE = 120
"""Columns of a terminal on which the token classes have room."""
_CLASSES = {
    "input_tokens": "Input",
    "cached_input_tokens": "Cached",
    "cache_write_tokens": "Written",
    "output_tokens": "Output",
    "reasoning_tokens": "Reasoning",
}
_FEW_UNPRICED = Column(
    "unpriced", COUNT, get=lambda row: row.unpriced or None, none="", priority=40
)  # fmt: skip


def row_noun(by: Sequence[str]) -> Noun:
    """A row of the report: its dimensions in the order given, then the sums."""
    return Noun("usage report", (*_dimensions(by), *_sums(), Column("others", COUNT)))


def shown_noun(by: Sequence[str], rows: Sequence[ReportRow], *, terminal: Terminal | None) -> Noun:
    """The same for people: no column in which nothing stands.

    A ``terminal`` shows each row's share of what its currency cost, or of the tokens, where
    nothing cost anything.
    """

    def stands(name: str) -> bool:
        return any(getattr(row, name) for row in rows)

    narrow = terminal is not None and terminal.width < _WIDE
    optional = (*_CLASSES, "unpriced", "charge")
    sums = [
        column
        for column in _sums()
        if (column.name not in optional or stands(column.name))
        and not (narrow and column.name in _CLASSES)
    ]
    if terminal is not None:
        sums = [_FEW_UNPRICED if column.name == "unpriced" else column for column in sums]
    share = [share_column(rows, _part(rows), terminal)] if terminal is not None else []
    return Noun("usage report", (*_dimensions(by, for_people=True), *sums, *share))


def report_noun(by: Sequence[str]) -> Noun:
    """The whole report as one document."""
    return Noun(
        "report",
        (
            Column("since", TIME, get="span.since"),
            Column("until", TIME, get="span.until"),
            Column("timezone", get="span.timezone"),
            Column("billable"),
            Column("by", LIST),
            Column("rows", ROWS, of=row_noun(by)),
            Column("totals", ROWS, of=TOTAL),
        ),
    )


def _dimensions(by: Sequence[str], *, for_people: bool = False) -> Iterable[Column]:
    for name in by:
        get = _or_others(name) if for_people and name == by[0] else ""
        yield Column(name, get=get, priority=65)


def _or_others(name: str) -> Any:
    def get(row: ReportRow) -> Any:
        return f"{row.others:,} others" if row.others else getattr(row, name)

    return get


def _sums() -> tuple[Column, ...]:
    return (
        Column("requests", COUNT, priority=45),
        *(Column(name, COUNT, header=header) for name, header in _CLASSES.items()),
        Column("tokens", COUNT),
        Column("cost", MONEY),
        Column("currency", table=False),
        Column("charge", MONEY, currency="charge_currency"),
        Column("charge_currency", table=False),
        Column("unpriced", COUNT, priority=30),
    )


def _part(rows: Sequence[ReportRow]) -> Any:
    costs = any(row.cost > 0 for row in rows)

    def part(row: ReportRow) -> tuple[str, Decimal | int]:
        return row.currency, row.cost if costs else row.tokens

    return part
