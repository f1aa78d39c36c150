"""Every golden file keeps the rules of screens; and the rules find what breaks them."""

from __future__ import annotations

import pytest

from tests.screens import rules
from tests.screens.screens import SCREENS, WIDTHS, Screen, golden_file

_TERMINALS = {kind: width for kind, width in WIDTHS.items() if width is not None}


def _text(screen: Screen, kind: str) -> str:
    return golden_file(screen, kind).read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", _TERMINALS)
def test_no_line_is_wider_than_the_terminal(kind: str) -> None:
    wide = {
        screen.name: rules.too_wide(_text(screen, kind), _TERMINALS[kind]) for screen in SCREENS
    }
    assert {name: lines for name, lines in wide.items() if lines} == {}


@pytest.mark.parametrize("kind", _TERMINALS)
def test_every_id_of_the_pipe_stands_whole_on_the_terminal(kind: str) -> None:
    missing = {
        screen.name: rules.ids(_text(screen, "pipe")) - rules.ids(_text(screen, kind))
        for screen in SCREENS
    }
    assert {name: ids for name, ids in missing.items() if ids} == {}
    assert sum(len(rules.ids(_text(screen, kind))) for screen in SCREENS) > 100


@pytest.mark.parametrize("kind", _TERMINALS)
def test_the_amounts_of_a_column_end_at_one_place(kind: str) -> None:
    ragged = {screen.name: list(rules.ragged_amounts(_text(screen, kind))) for screen in SCREENS}
    assert {name: amounts for name, amounts in ragged.items() if amounts} == {}


@pytest.mark.parametrize("kind", WIDTHS)
def test_nothing_is_named_as_only_python_names_it(kind: str) -> None:
    named = {screen.name: rules.python_names(_text(screen, kind)) for screen in SCREENS}
    assert {name: words for name, words in named.items() if words} == {}


@pytest.mark.parametrize("kind", WIDTHS)
def test_an_empty_list_says_what_to_do_next_and_nothing_else(kind: str) -> None:
    empty = [screen for screen in SCREENS if screen.is_empty and screen.args[1:] == ("list",)]
    told = {screen.name: _text(screen, kind).splitlines()[1:] for screen in empty}
    told.pop("rates-list.empty")  # the configuration has one
    for name, lines in told.items():
        assert len(lines) == 1, name
        assert "aimeter " in lines[0], name


@pytest.mark.parametrize("name", ["overages-list", "usage-list", "credits-balance"])
def test_a_list_on_a_terminal_ends_with_totals_and_the_next_command(name: str) -> None:
    screen = next(screen for screen in SCREENS if screen.name == name)
    total, following = _text(screen, "80").splitlines()[-2:]
    assert " USD" in total
    assert following.startswith("2> Next: aimeter ")
    assert "Next: " not in _text(screen, "pipe")


_BROKEN = """\
$ aimeter broken
Billable     Amount  Balance
────────────────────────────
user:42  1.28 USD   3.00 USD
    Item: ii_1Sc589d809bee
ed84b43ec3 None Decimal('1.28')
"""


def test_the_rules_find_what_breaks_them() -> None:
    assert rules.too_wide(_BROKEN, 29) == ["ed84b43ec3 None Decimal('1.28')"]
    assert rules.python_names(_BROKEN) == ["None", "Decimal("]
    assert rules.ids(_BROKEN) == {"user:42", "ii_1Sc589d809bee"}
    assert [found.split(" of ")[0] for found in rules.ragged_amounts(_BROKEN)] == ["'1.28 USD'"]
