"""What stands in the line of a table, and how wide."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimeter_cli.render.layout import Layout, Need, arranged


def _needs(*natural: int, rank: int = 50) -> list[Need]:
    return [Need(width, width, rank) for width in natural]


@pytest.mark.parametrize(
    ("needs", "width", "widths", "below"),
    [
        (_needs(5, 5, 5), 19, {0: 5, 1: 5, 2: 5}, ()),
        (_needs(5, 5, 5), 18, {0: 5, 1: 5}, (2,)),  # of equals the last one leaves
        ([Need(5, 5, 1), Need(5, 5, 9), Need(5, 5, 2)], 12, {0: 5, 1: 5}, (2,)),  # never the first
        ([Need(5, 5, 9), Need(5, 5, 9, is_empty=True), Need(5, 5, 1)], 12, {0: 5, 2: 5}, (1,)),
        (_needs(90), 80, {0: 90}, ()),  # an id is never broken
        ([Need(5, 5, 9), Need(30, 10, 9)], 80, {0: 5, 1: 30}, ()),
        ([Need(5, 5, 9), Need(30, 10, 9)], 20, {0: 5, 1: 13}, ()),
        ([Need(5, 5, 9), Need(30, 10, 9)], 16, {0: 5}, (1,)),
        ([Need(40, 10, 9), Need(12, 10, 9)], 30, {0: 16, 1: 12}, ()),  # the modest one first
        ([Need(40, 10, 9), Need(40, 10, 9)], 42, {0: 20, 1: 20}, ()),
        # there is room for a lesser one, after all
        ([Need(9, 9, 9), Need(30, 30, 7), Need(4, 4, 6)], 26, {0: 9, 2: 4}, (1,)),
    ],
)  # fmt: skip
def test_columns_leave_the_line_until_the_others_fit(
    needs: list[Need], width: int, widths: dict[int, int], below: tuple[int, ...]
) -> None:
    assert arranged(needs, width) == Layout(widths, below)


_NEED = st.builds(
    lambda least, more, rank, empty: Need(least + more, least, rank, empty),
    st.integers(1, 40), st.integers(0, 60), st.integers(1, 9), st.booleans(),
)  # fmt: skip


@settings(max_examples=60)
@given(st.lists(_NEED, min_size=1, max_size=9), st.integers(1, 200))
def test_the_line_fits_and_nothing_is_narrower_than_it_can_be(
    needs: list[Need], width: int
) -> None:
    layout = arranged(needs, width)
    assert layout.width <= width or list(layout.widths) == [0]
    assert sorted([*layout.widths, *layout.below]) == list(range(len(needs)))
    for n, given_width in layout.widths.items():
        assert needs[n].least <= given_width <= needs[n].natural
