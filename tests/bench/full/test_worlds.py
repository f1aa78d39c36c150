"""The past that the scale benchmarks begin with, and how it is claimed, in small."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from sqlmodel import Session, select

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.money import to_nanos
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.items import InvoiceItem, SyncAttempt
from aimeter_cli.models.overages import Overage
from aimeter_cli.repositories.sendable import oldest_sendable
from tests.bench.full.claims import Shape, figures, load, measure
from tests.bench.full.worlds import CENT_NANOS

SMALL = Shape(billables=22, months=9, each=5, batch=5, rounds=1)


def _overages(session: Session) -> list[Overage]:
    return list(session.exec(select(Overage).order_by(Overage.id)))  # type: ignore[arg-type]


def test_of_a_thousand_overages_the_newest_tenth_of_a_hundredth_is_due(
    any_database: Database,
) -> None:
    load(any_database, SMALL)
    with any_database.read() as session:
        overages = _overages(session)
        customers = {row.stripe_customer_id for row in session.exec(select(Billable))}
    assert len(overages) == 1000
    assert {row.status for row in overages[:990]} == {"synced"}
    assert [row.status for row in overages[990:]] == ["frozen"] * 4 + ["open"] * 6
    assert [row.billable_id for row in overages[990:]] == [1, 1, 1, 1, 1, 2, 3, 4, 5, 6]
    assert len(customers) == 22


def test_the_past_is_on_closed_items_whose_amounts_and_rests_are_those_of_their_overages(
    any_database: Database,
) -> None:
    load(any_database, SMALL)
    with any_database.read() as session:
        items = list(session.exec(select(InvoiceItem)))
        attempts = Counter(row.item_id for row in session.exec(select(SyncAttempt)))
        sums: Counter[int] = Counter()
        for row in _overages(session):
            if row.charge_amount is not None:
                item = session.get_one(InvoiceItem, row.item_id)
                assert (item.billable_id, item.period_start) == (row.billable_id, row.period_start)
                sums[item.id] += to_nanos(row.charge_amount)
    assert {row.status for row in items} == {"closed"}
    assert attempts == Counter(row.id for row in items)
    assert len(items) == 22 * 9
    carried = {row.carried_to_id: to_nanos(row.carry_out or Decimal(0)) for row in items}
    for item in items:
        assert item.final_minor is not None
        assert item.carry_out is not None
        rest = to_nanos(item.carry_out)
        assert item.final_minor * CENT_NANOS + rest == sums[item.id] + carried.get(item.id, 0)
    assert [row.carried_to_id for row in items].count(None) == 22


def test_the_measurement_claims_and_settles_all_that_is_due(any_database: Database) -> None:
    load(any_database, SMALL)
    found = measure(any_database, SMALL)
    with any_database.read() as session:
        assert {row.status for row in _overages(session)} == {"synced"}
        assert oldest_sendable(session, 10) == {}
        live = select(InvoiceItem).where(InvoiceItem.status == "idle")
        assert len(list(session.exec(live))) == 1 + 5
    assert (len(found.claim_one), len(found.claim_many), len(found.single)) == (1, 1, 5)
    told = figures("here", SMALL, found)
    assert [figure.goal for figure in told] == [5, 5, 5, None, None]
    assert all(figure.value > 0 for figure in told)
