"""Each usage keeps the price it was charged with; equal prices are one row."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.pricing import ModelPrice, PriceBook, price_book
from aimeter_cli.domain.usage import UsageLine, usage_line
from aimeter_cli.errors import InvalidInput
from aimeter_cli.models.prices import PriceRow
from aimeter_cli.models.usages import Usage
from aimeter_cli.repositories import prices as repo
from aimeter_cli.repositories import usages
from aimeter_cli.repositories.prices import keep_prices
from aimeter_cli.services.recording.record import Recorder
from tests.support.world import NOW, World

CHEAP = price_book({"openai": {"m": {"input_per_1m": "1", "output_per_1m": "4"}}}, "usd")
DEAR = price_book({"openai": {"m": {"input_per_1m": "2"}}}, "eur")


def line(key: str, **fields: Any) -> UsageLine:
    given = {"billable": "user:1", "provider": "openai", "model": "m", "input_tokens": 1000}
    return usage_line(given | {"idempotency_key": key} | fields, now=NOW)


def test_equal_prices_are_one_row_and_every_usage_names_its_own(any_world: World) -> None:
    for n, book in enumerate((CHEAP, DEAR, CHEAP)):
        recorder = Recorder(any_world.database, any_world.settings, book)
        recorder.record([line(f"{n}a"), line(f"{n}b")], now=NOW)
    cheap, dear = any_world.rows(PriceRow)
    assert [u.price_id for u in any_world.rows(Usage)] == [
        cheap.id, cheap.id, dear.id, dear.id, cheap.id, cheap.id,
    ]  # fmt: skip
    assert (cheap.provider, cheap.model, cheap.currency) == ("openai", "m", "usd")
    assert (cheap.input_per_1m, cheap.output_per_1m, cheap.reasoning_per_1m) == (1, 4, 4)
    assert (cheap.cached_input_per_1m, cheap.source) == (None, "configuration")
    assert (dear.currency, dear.input_per_1m, dear.output_per_1m) == ("eur", 2, None)


@pytest.mark.parametrize("fields", [{"cost": "1"}, {"model": "other"}, {"cached_input_tokens": 1}])
def test_what_was_not_priced_by_us_names_no_price(world: World, fields: dict[str, Any]) -> None:
    Recorder(world.database, world.settings, CHEAP).record_one(line("k", **fields), now=NOW)
    assert (world.rows(Usage)[0].price_id, world.rows(PriceRow)) == (None, [])


def test_a_recorder_asks_for_a_price_only_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    real = repo._ids

    def ids(*args: Any) -> dict[str, int]:
        asked.append(args)
        return real(*args)

    monkeypatch.setattr(repo, "_ids", ids)
    recorder = Recorder(world.database, world.settings, CHEAP)
    for n in range(3):
        recorder.record_one(line(str(n)), now=NOW)
    assert len(asked) == 2  # before and after it was added


def test_what_a_dry_run_or_a_rollback_added_is_not_remembered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(world.database, world.settings, CHEAP)
    recorder.record_one(line("dry"), now=NOW, dry_run=True)
    with monkeypatch.context() as broken:
        broken.setattr(usages, "insert_usages", _fail)
        with pytest.raises(RuntimeError):
            recorder.record_one(line("broken"), now=NOW)
    recorder.record_one(line("k"), now=NOW)
    [row] = world.rows(PriceRow)
    assert world.rows(Usage)[0].price_id == row.id


def _fail(*_: object) -> None:
    raise RuntimeError


def test_writers_that_need_a_new_price_at_once_share_it(any_database: Database) -> None:
    keys = {("openai", f"m{n}", ModelPrice("usd", (n, None, None, None, None))) for n in range(20)}

    def keep(_: int) -> dict[Any, int]:
        with any_database.write() as session:
            return keep_prices(session, keys, NOW)

    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(keep, range(4))
    assert set(first) == keys
    assert len(set(first.values())) == 20
    assert others == [first] * 3


@pytest.mark.parametrize(
    "other",
    [
        ("azure", "m", ModelPrice("usd", (1, 2, None, None, None))),
        ("openai", "n", ModelPrice("usd", (1, 2, None, None, None))),
        ("openai", "m", ModelPrice("eur", (1, 2, None, None, None))),
        ("openai", "m", ModelPrice("usd", (1, None, 2, None, None))),
        ("openai", "m", ModelPrice("usd", (12, None, None, None, None))),
        ("openai", "m", ModelPrice("usd", (1, 2, None, None, None), "genai-prices 1")),
    ],
)
def test_prices_that_differ_in_anything_are_two(database: Database, other: Any) -> None:
    price = ("openai", "m", ModelPrice("usd", (1, 2, None, None, None)))
    with database.write() as session:
        assert len(set(keep_prices(session, [price, other], NOW).values())) == 2


def test_a_cost_beyond_what_can_be_stored_is_refused(world: World) -> None:
    book: PriceBook = price_book({"openai": {"m": {"input_per_1m": "9000000000"}}}, "usd")
    recorder = Recorder(world.database, world.settings, book)
    with pytest.raises(InvalidInput, match="beyond the largest amount"):
        recorder.record_one(line("k", input_tokens=10**12), now=NOW)
    assert (world.rows(Usage), world.rows(PriceRow)) == ([], [])
    assert recorder.record_one(line("k", input_tokens=1), now=NOW).cost == 9000 * 10**9


def test_the_recorded_cost_is_that_of_the_price(world: World) -> None:
    done = Recorder(world.database, world.settings, CHEAP).record_one(
        line("k", output_tokens=10, reasoning_tokens=5), now=NOW
    )
    assert (done.cost, done.currency) == (1000 * 1000 + 15 * 4000, "usd")
    assert world.rows(Usage)[0].cost == Decimal("0.00106")
