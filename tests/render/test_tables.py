"""Tables of terminals, wide and narrow."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from rich.cells import cell_len
from rich.color import Color, ColorType

from aimeter_cli.render import styles
from aimeter_cli.render.noun import FLAG, ID, MONEY, SERIAL, STATUS, TIME, Column, Noun
from aimeter_cli.render.tables import rich_pairs, rich_table
from aimeter_cli.render.terminal import Terminal

NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)
WIDE = Terminal(120, color=False, now=NOW)
NOUN = Noun(
    "debt",
    (
        Column("id", SERIAL),
        Column("whose", ID),
        Column("amount", MONEY),
        Column("currency", table=False),
        Column("status", STATUS),
        Column("since", TIME, is_dated=True),
        Column("at", TIME),
        Column("error"),
    ),
)


def _row(number: int, amount: str, error: str | None = None) -> dict[str, Any]:
    return {
        "id": number, "whose": "cus_Nff6eUfNV2Hib8", "amount": Decimal(amount), "currency": "usd",
        "status": "open", "since": datetime(2026, 11, 1, tzinfo=UTC),
        "at": NOW - timedelta(hours=3), "error": error,
    }  # fmt: skip


ROWS = [
    _row(1, "1234.5", "No such customer: it was deleted by a person"),
    _row(1000, "-0.000000001"),
]


def _on(width: int) -> str:
    return rich_table(NOUN, ROWS, replace(WIDE, width=width))


def test_a_wide_terminal_has_everything_on_one_line() -> None:
    [heading, rule, first, second] = _on(120).splitlines()
    assert (
        heading == "  ID  Whose                         Amount  Status  Since       At       Error"
    )
    assert rule == "─" * len(first)
    assert first == (
        "   1  cus_Nff6eUfNV2Hib8      1,234.50 USD  open    2026-11-01  3 h ago  "
        "No such customer: it was deleted by a person"
    )
    assert second == "1000  cus_Nff6eUfNV2Hib8  -0.000000001 USD  open    2026-11-01  3 h ago  -"


def test_a_narrow_terminal_has_the_rest_below_with_names() -> None:
    assert _on(60) == (
        "  ID  Whose                         Amount  Status  At\n"
        "───────────────────────────────────────────────────────────\n"
        "   1  cus_Nff6eUfNV2Hib8      1,234.50 USD  open    3 h ago\n"
        "    Since: 2026-11-01\n"
        "    Error: No such customer: it was deleted by a person\n"
        "1000  cus_Nff6eUfNV2Hib8  -0.000000001 USD  open    3 h ago\n"
        "    Since: 2026-11-01\n"
    )


def test_numbers_and_ids_stay_whole_however_narrow_the_terminal_is() -> None:
    shown = [line.strip() for line in _on(14).splitlines()]
    assert {"cus_Nff6eUfNV2Hib8", "-0.000000001 USD", "1,234.50 USD"} <= set(shown)


@pytest.mark.parametrize("width", [30, 60, 120])
def test_text_from_outside_moves_no_cursor_and_takes_the_room_that_it_needs(width: int) -> None:
    hostile = "\x1b[2J\u202e[red]漢字漢字漢字 {x} \x00 \x9b31m\r\n\t."
    row = ROWS[0] | {"whose": "漢字:漢字", "error": hostile}
    for shown in (
        rich_table(NOUN, [row], replace(WIDE, width=width)),
        rich_pairs(NOUN, row, replace(WIDE, width=width)),
    ):
        assert not set(shown.replace("\n", "")) & {chr(n) for n in (*range(32), *range(127, 160))}
        assert "\\x1b[2J\\u202e[red]漢字漢字漢字" in shown
        assert max(cell_len(line) for line in shown.splitlines()) <= max(width, 45)


def test_a_list_cuts_prose_of_megabytes_and_says_so_and_a_single_object_does_not() -> None:
    row = ROWS[0] | {"error": "word " * 2000}
    listed = " ".join(rich_table(NOUN, [row], WIDE).split())
    assert listed.endswith("word word (cut; 10,000 characters)")
    assert listed.count("word") == 200
    assert rich_pairs(NOUN, row, WIDE).count("word") == 2000


def test_without_unicode_a_table_is_of_ascii() -> None:
    shown = rich_table(NOUN, ROWS, replace(WIDE, width=60, is_unicode=False))
    assert shown.isascii()
    assert "-----" in shown.splitlines()[1]


def test_a_single_object_has_its_times_whole_with_their_age() -> None:
    shown = rich_pairs(NOUN, ROWS[0], replace(WIDE, width=40)).splitlines()
    assert shown[5:] == [
        "Since     2026-11-01T00:00:00Z",
        "At        2026-11-15T09:00:00Z (3 h ago)",
        "Error     No such customer: it was",
        "          deleted by a person",
    ]


def test_a_value_that_is_longer_than_the_line_stays_whole() -> None:
    shown = rich_pairs(NOUN, ROWS[0], replace(WIDE, width=20)).splitlines()
    assert "Whose     cus_Nff6eUfNV2Hib8" in shown


def test_off_a_terminal_times_are_those_of_iso_8601() -> None:
    shown = rich_table(NOUN, ROWS, replace(WIDE, width=200, now=None))
    assert "2026-11-01T00:00:00Z  2026-11-15T09:00:00Z" in shown


@pytest.mark.parametrize("style", styles.STATUSES)
def test_every_colour_can_be_read_on_white_and_on_black(style: str) -> None:
    assert Color.parse(style).type is ColorType.EIGHT_BIT  # no terminal has another there
    luminance = _luminance(style)
    assert 1.05 / (luminance + 0.05) >= 3.9
    assert (luminance + 0.05) / 0.05 >= 3.8


def test_the_luminance_of_known_colours_is_right() -> None:
    assert [round(_luminance(name), 2) for name in ("#000000", "#ffffff", "#ff0000")] == [
        0, 1, 0.21,
    ]  # fmt: skip


def _luminance(name: str) -> float:
    """As WCAG 2 defines it."""
    parts = [part / 255 for part in Color.parse(name).get_truecolor()]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_no_word_has_two_colours() -> None:
    words = [word for words in styles.STATUSES.values() for word in words.split()]
    assert len(words) == len(set(words))


@pytest.mark.parametrize(
    ("column", "text", "style"),
    [
        (Column("status", STATUS), "failed", styles.BAD),
        (Column("status", STATUS), "unheard-of", ""),
        (Column("reason"), "failed", ""),
        (Column("is_ok", FLAG, good=True), "yes", styles.GOOD),
        (Column("is_ok", FLAG, good=True), "no", styles.BAD),
        (Column("is_paused", FLAG, good=False), "yes", styles.BAD),
        (Column("is_new", FLAG), "yes", ""),
        (Column("is_ok", FLAG, good=True), "-", ""),
    ],
)
def test_a_word_of_status_has_its_colour(column: Column, text: str, style: str) -> None:
    assert styles.style_of(column, text) == style
