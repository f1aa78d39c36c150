"""What a page is made of: elements, figures, scales."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from aimeter_cli.render.html import figures
from aimeter_cli.render.html.chart import compact, scale
from aimeter_cli.render.html.markup import Markup, element, style


def test_whatever_is_not_markup_is_escaped() -> None:
    made = element("td", '<b>&"', [Markup("<i></i>"), ["\x1b"], None], class_='"><script>')
    assert made == ('<td class="&quot;&gt;&lt;script&gt;">&lt;b&gt;&amp;&quot;<i></i>\\x1b</td>')


def test_attributes_without_a_value_are_left_out() -> None:
    assert element("meta", data_label=None, http_equiv="x") == '<meta http-equiv="x">'


def test_a_style_sheet_cannot_end_its_element() -> None:
    with pytest.raises(ValueError, match="'<'"):
        style("</style><script>")


@pytest.mark.parametrize(
    ("amount", "currency", "finest", "shown"),
    [
        ("12.5", "usd", 0, '12.50<span class="currency"> USD</span>'),
        ("1.234", "usd", 0, '1.23<span class="fine w0">4</span><span class="currency"> USD</span>'),
        ("1.23", "usd", 2, '1.23<span class="fine w2"></span><span class="currency"> USD</span>'),
        ("7", "jpy", 1, '7<span class="fine w2"></span><span class="currency"> JPY</span>'),
        ("7.5", "jpy", 1, '7<span class="fine w2">.5</span><span class="currency"> JPY</span>'),
    ],
)  # fmt: skip
def test_money_is_exact_and_what_is_below_the_minor_unit_is_apart(
    amount: str, currency: str, finest: int, shown: str
) -> None:
    made = figures.money(Decimal(amount), currency, finest=finest)
    assert made == f'<data value="{Decimal(amount):.9f}">{shown}</data>'


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (date(2026, 11, 9), date(2026, 11, 9), "9 November 2026"),
        (date(2026, 11, 1), date(2026, 11, 30), "1 – 30 November 2026"),
        (date(2026, 10, 26), date(2026, 11, 1), "26 October – 1 November 2026"),
        (date(2025, 12, 29), date(2026, 1, 4), "29 December 2025 – 4 January 2026"),
    ],
)
def test_days_are_named_without_a_word_twice(first: date, last: date, words: str) -> None:
    assert figures.days(first, last) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "1 second"), (59, "59 seconds"), (60, "1 minute"), (7200, "2 hours"), (86400, "1 day")],
)
def test_an_age_is_told_in_its_largest_unit(seconds: int, words: str) -> None:
    assert figures.age(seconds) == words


@pytest.mark.parametrize(
    ("part", "largest", "width"), [(50, 100, 500), (1, 10**9, 5), (100, 100, 1000), (7, 3, 1000)]
)
def test_a_bar_is_as_long_as_its_part_is_large(part: int, largest: int, width: int) -> None:
    assert f'<rect width="{width}" height="1">' in figures.bar(part, largest)


@pytest.mark.parametrize(("part", "largest"), [(0, 5), (-1, 5), (0, 0)])
def test_nothing_has_no_bar(part: int, largest: int) -> None:
    assert "<rect" not in figures.bar(part, largest)


@pytest.mark.parametrize(
    ("largest", "top"),
    [
        ("0", "1"), ("-4", "1"), ("1", "1"), ("1.01", "1.5"), ("132704", "150000"),
        ("0.97", "1"), ("0.000000003", "0.000000003"), ("99", "100"), ("7", "8"),
    ],
)  # fmt: skip
def test_a_scale_ends_at_the_next_round_number(largest: str, top: str) -> None:
    assert scale(Decimal(largest)) == Decimal(top)


@pytest.mark.parametrize(
    ("number", "told"),
    [
        ("0.5", "0.5"), ("20", "20"), ("1500", "1.5 k"), ("200000", "200 k"), ("3E+6", "3 M"),
        ("1E+9", "1 G"), ("8E+12", "8 T"), ("1E-9", "0.000000001"),
    ],
)  # fmt: skip
def test_an_axis_has_few_letters(number: str, told: str) -> None:
    assert compact(Decimal(number)) == told
