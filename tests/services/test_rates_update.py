"""What is published is stored, held where it moves too far, and the same again changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.rates import NoRate, Rate
from aimeter_cli.errors import NotFound
from aimeter_cli.services.rate_storing import StoredRate
from aimeter_cli.services.rates import (
    confirm_rates,
    convert,
    find_rates,
    list_rates,
    rate_history,
    remove_rates,
    set_rates,
    update_rates,
)
from aimeter_cli.settings.table import Settings
from tests.conftest import NOW

D = Decimal
SETTINGS = Settings(currency="eur")  # no rates that follow


def _rate(value: str, days_ago: int, base: str = "eur", quote: str = "usd") -> Rate:
    return Rate(base, quote, D(value), NOW - timedelta(days=days_ago), "bank")


def _update(database: Database, *rates: Rate, **options: bool) -> list[StoredRate]:
    return update_rates(database, SETTINGS, rates, now=NOW, **options)


def _effects(stored: Sequence[StoredRate]) -> list[str]:
    return [rate.effect for rate in stored]


def _in_force(database: Database) -> list[tuple[Decimal, str]]:
    """Of euro and dollar, oldest first."""
    views = rate_history(database, SETTINGS, "eur", "usd", at=NOW)
    return [(view.value, "held" if view.status == "held" else "") for view in reversed(views)]


def test_the_same_document_again_changes_nothing(any_database: Database) -> None:
    days = [_rate("1.1", 2), _rate("1.2", 1), _rate("175.3", 1, quote="jpy")]
    assert _effects(_update(any_database, *days)) == ["added"] * 3
    before = find_rates(any_database, "eur", "usd", None)
    assert _effects(_update(any_database, *reversed(days))) == ["unchanged"] * 3
    assert find_rates(any_database, "eur", "usd", None) == before


def test_two_updates_at_once_store_every_rate_once(any_database: Database) -> None:
    days = [_rate("9", 0), *(_rate("1.1", day) for day in range(1, 21))]
    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(_update, any_database, *days) for _ in range(3)]
    effects = Counter(effect for run in runs for effect in _effects(run.result()))
    assert effects == {"added": 20, "unchanged": 2 * 20, "held": 3}
    assert len(_in_force(any_database)) == 21


def test_a_rate_that_moves_too_far_is_held_and_the_last_one_stays_in_force(
    any_database: Database,
) -> None:
    _update(any_database, _rate("1", 3))
    done = _update(any_database, _rate("1.2", 2), _rate("1.45", 1), _rate("1.5", 0))
    assert _effects(done) == ["added", "held", "held"]
    assert [rate.previous for rate in done] == [D(1), D("1.2"), D("1.2")]
    assert convert(any_database, SETTINGS, D(1), "eur", "usd", at=NOW).rate == D("1.2")
    listed = list_rates(any_database, SETTINGS, at=NOW)
    assert [(view.value, view.status, view.held_id, view.previous) for view in listed] == [
        (D("1.2"), "current", None, None),
        (D("1.5"), "held", done[2].held_id, D("1.2")),
        (D("1.45"), "held", done[1].held_id, D("1.2")),
    ]
    assert list_rates(any_database, SETTINGS, at=NOW - timedelta(days=2)) == [
        replace(listed[0], age_days=0)
    ]
    again = _update(any_database, _rate("1.45", 1), _rate("1.5", 0))
    assert [(rate.effect, rate.held_id) for rate in again] == [
        ("held", done[1].held_id), ("held", done[2].held_id),
    ]  # fmt: skip


def test_a_held_rate_does_not_make_up_for_one_that_is_too_old(database: Database) -> None:
    _update(database, _rate("1", 8))
    _update(database, _rate("9", 0))
    with pytest.raises(NoRate, match="the rate from eur to usd of 2026-11-07 is older than"):
        convert(database, SETTINGS, D(1), "eur", "usd", at=NOW)


def test_a_confirmed_rate_is_used_and_releases_those_that_follow_it(
    any_database: Database,
) -> None:
    _update(any_database, _rate("1", 3))
    held = _update(any_database, _rate("2", 2), _rate("2.1", 1), _rate("9", 0))
    first = held[0].held_id or 0
    assert _effects(
        confirm_rates(any_database, SETTINGS, [first], now=NOW, dry_run=True)
    ) == ["added", "added", "held"]  # fmt: skip
    with pytest.raises(NotFound, match="there is no held rate 99"):
        confirm_rates(any_database, SETTINGS, [first, 99], now=NOW)
    assert [held for _, held in _in_force(any_database)] == ["", "held", "held", "held"]
    done = confirm_rates(any_database, SETTINGS, [first], now=NOW)
    assert [(rate.effect, rate.source) for rate in done] == [
        ("added", "bank"), ("added", "bank"), ("held", "bank"),
    ]  # fmt: skip
    assert _in_force(any_database) == [
        (D(1), ""), (D(2), ""), (D("2.1"), ""), (D(9), "held"),
    ]  # fmt: skip
    with pytest.raises(NotFound):
        confirm_rates(any_database, SETTINGS, [first], now=NOW)


def test_an_update_that_is_confirmed_holds_nothing(database: Database) -> None:
    _update(database, _rate("1", 2))
    _update(database, _rate("2", 1))
    assert _effects(_update(database, _rate("2", 1), _rate("9", 0), confirm=True)) == ["added"] * 2
    assert _in_force(database) == [(D(1), ""), (D(2), ""), (D(9), "")]


def test_a_correction_that_moves_too_far_leaves_the_rate_of_its_day_in_force(
    any_database: Database,
) -> None:
    _update(any_database, _rate("1", 0))
    [held] = _update(any_database, _rate("11", 0))
    assert (held.effect, held.previous) == ("held", D(1))
    assert _in_force(any_database) == [(D(1), ""), (D(11), "held")]
    [done] = confirm_rates(any_database, SETTINGS, [held.held_id or 0], now=NOW)
    assert done.effect == "changed"
    assert _in_force(any_database) == [(D(11), "")]


@pytest.mark.parametrize(("value", "effect"), [("1.1", "added"), ("1", "added"), ("8", "held")])
def test_a_corrected_document_replaces_what_is_held(
    value: str, effect: str, database: Database
) -> None:
    _update(database, _rate("1", 1))
    _update(database, _rate("9", 0))
    assert _effects(_update(database, _rate(value, 0))) == [effect]
    assert _in_force(database)[1:] == [(D(value), "held" if effect == "held" else "")]


def test_a_document_that_says_again_what_is_in_force_ends_what_is_held(database: Database) -> None:
    for value, effect in (("1", "added"), ("9", "held"), ("1", "unchanged")):
        assert _effects(_update(database, _rate(value, 0))) == [effect]
    assert _in_force(database) == [(D(1), "")]


def test_the_inverse_is_the_last_rate_too(any_database: Database) -> None:
    set_rates(any_database, [_rate("0.5", 1, "usd", "eur")], now=NOW)
    done = _update(any_database, _rate("2.5", 0))
    assert (done[0].effect, done[0].previous) == ("held", D(2))
    assert _effects(_update(any_database, _rate("2.4", 0))) == ["added"]


def test_the_first_rate_and_those_of_before_have_nothing_to_move_against(
    database: Database,
) -> None:
    assert _effects(_update(database, _rate("100", 0))) == ["added"]
    assert _effects(_update(database, _rate("1", 9), _rate("1.1", 8))) == ["added", "added"]
    assert _effects(_update(database, _rate("100", 7))) == [
        "held"
    ]  # against that of the day before


def test_a_day_that_was_missed_is_compared_with_the_day_before_it(database: Database) -> None:
    for rate in (_rate("1", 4), _rate("1.2", 2), _rate("1.4", 0)):
        _update(database, rate)
    done = _update(database, _rate("1", 4), _rate("1.1", 3), _rate("1.4", 0))
    assert [(rate.effect, rate.previous) for rate in done] == [
        ("unchanged", D(1)), ("added", D(1)), ("unchanged", D("1.4")),
    ]  # fmt: skip


def test_how_far_a_rate_may_move_is_a_setting(database: Database) -> None:
    def update(percent: str, value: str) -> str:
        settings = replace(SETTINGS, rate_max_move=D(percent))
        done = update_rates(database, settings, [_rate(value, 0)], now=NOW, dry_run=True)
        return done[0].effect

    _update(database, _rate("1", 1))
    assert [update("0.5", "1.006"), update("50", "1.5"), update("0", "99")] == [
        "held", "added", "added",
    ]  # fmt: skip


def test_an_operators_own_rate_is_never_held_and_ends_what_is(database: Database) -> None:
    _update(database, _rate("1", 1))
    _update(database, _rate("9", 0))
    set_rates(database, [_rate("7", 0)], now=NOW)
    assert _in_force(database) == [(D(1), ""), (D(7), "")]


def test_held_rates_are_removed_alone_or_with_the_others(any_database: Database) -> None:
    _update(any_database, _rate("1", 1))
    _update(any_database, _rate("9", 0))
    both = find_rates(any_database, "eur", "usd", None)
    assert [row.value for row in both] == [D(9), D(1)]
    remove_rates(any_database, find_rates(any_database, "eur", "usd", None, only_held=True))
    assert _in_force(any_database) == [(D(1), "")]
    with pytest.raises(NotFound, match="there is no held rate from eur to usd"):
        find_rates(any_database, "eur", "usd", None, only_held=True)


def test_rates_of_a_bank_lead_from_the_base_currency_to_every_other(database: Database) -> None:
    dollars = Settings(currency="usd")
    rates = [_rate("1.25", 0), _rate("0.85", 0, quote="gbp"), _rate("175", 0, quote="jpy")]
    assert len(update_rates(database, dollars, rates, now=NOW)) == 5
    pounds = convert(database, dollars, D(100), "usd", "gbp", at=NOW)
    assert (pounds.result, pounds.via) == (D(68), "usd/gbp 0.68 (bank via eur 2026-11-15)")
    yen = convert(database, dollars, D("0.68"), "gbp", "jpy", at=NOW)
    assert yen.result == D(140)
    assert Fraction(yen.rate).limit_denominator(1000) == Fraction(14000, 68)
    assert _effects(update_rates(database, dollars, rates, now=NOW)) == ["unchanged"] * 5
