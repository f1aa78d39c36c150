"""Billables are made once, by whoever comes first, and are one Stripe customer each."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import Conflict, InvalidInput, NotFound
from aimeter_cli.repositories.billables import get_or_create_billable
from aimeter_cli.services.billables import (
    create_billable,
    list_billables,
    show_billable,
    update_billable,
)
from aimeter_cli.settings.table import Settings
from tests.conftest import Clock
from tests.services.world_of_plans import OTHER, USER


def test_a_billable_is_made_and_shown(any_database: Database, clock: Clock) -> None:
    create_billable(
        any_database,
        USER,
        {"email": "a@b.c", "name": "Ada", "currency": "eur", "stripe_customer_id": "cus_1"},
        now=clock(),
    )
    made = show_billable(any_database, USER)
    assert made.model_dump(exclude={"id"}) == {
        "type": "user",
        "external_id": "42",
        "email": "a@b.c",
        "name": "Ada",
        "currency": "eur",
        "stripe_customer_id": "cus_1",
        "created_at": clock(),
        "anonymized_at": None,
    }


def test_making_it_again_is_a_conflict(any_database: Database, clock: Clock) -> None:
    create_billable(any_database, USER, {}, now=clock())
    with pytest.raises(Conflict) as caught:
        create_billable(any_database, USER, {}, now=clock())
    assert caught.value.message == "the billable user:42 exists already"


def test_a_stripe_customer_belongs_to_one_billable(any_database: Database, clock: Clock) -> None:
    create_billable(any_database, USER, {"stripe_customer_id": "cus_1"}, now=clock())
    with pytest.raises(Conflict) as caught:
        create_billable(any_database, OTHER, {"stripe_customer_id": "cus_1"}, now=clock())
    assert caught.value.message == "the Stripe customer cus_1 belongs to the billable user:42"
    assert [billable.ref for billable in list_billables(any_database)] == ["user:42"]


def test_only_what_is_given_changes_and_empty_texts_clear(
    any_database: Database, clock: Clock
) -> None:
    create_billable(any_database, USER, {"email": "a@b.c", "name": "Ada"}, now=clock())
    update_billable(any_database, USER, {"email": "", "currency": "jpy"}, now=clock())
    changed = show_billable(any_database, USER)
    assert (changed.email, changed.name, changed.currency) == (None, "Ada", "jpy")


def test_a_rehearsal_changes_nothing(any_database: Database, clock: Clock) -> None:
    create_billable(any_database, USER, {"name": "Ada"}, now=clock())
    rehearsed = update_billable(any_database, USER, {"name": "Bob"}, now=clock(), dry_run=True)
    assert rehearsed.name == "Bob"
    assert show_billable(any_database, USER).name == "Ada"


@pytest.mark.parametrize("email", ["ada", "a b@c", "@b", "a@"])
def test_a_bad_address_is_refused(email: str, database: Database, clock: Clock) -> None:
    with pytest.raises(InvalidInput, match="is not an e-mail address"):
        create_billable(database, USER, {"email": email}, now=clock())


def test_an_unknown_billable_says_how_to_make_it(any_database: Database) -> None:
    with pytest.raises(NotFound) as caught:
        show_billable(any_database, USER)
    assert caught.value.message == "there is no billable user:42"
    assert caught.value.hint == "aimeter billables create user:42"


def test_many_writers_make_one_billable(any_database: Database, clock: Clock) -> None:
    def use(_: int) -> int:
        with any_database.write() as session:
            return get_or_create_billable(session, USER, clock()).id

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(use, range(24)))) == 1
    assert len(list_billables(any_database)) == 1


def test_a_list_can_be_cut_short(database: Database, clock: Clock) -> None:
    for number in range(3):
        create_billable(database, BillableRef("user", str(number)), {}, now=clock())
    assert [billable.ref for billable in list_billables(database, 2)] == ["user:0", "user:1"]


def test_a_pending_item_keeps_its_customers_currency(database: Database, clock: Clock) -> None:
    from typing import cast

    from aimeter_cli.sandbox.client import SandboxControl
    from tests.billing.ledger_driver import LedgerDriver
    from tests.support.world import World

    settings = Settings(billing_driver="tests.billing.ledger_driver.LedgerDriver")
    world = World(database, cast(SandboxControl, None), settings)
    assert isinstance(world.driver, LedgerDriver)
    world.subscriber("user:42", plan=world.plan(), customer="cus_1")
    world.use(501_000)
    assert world.sync().synced == 1
    ref = BillableRef.parse("user:42")
    with pytest.raises(Conflict, match="currency of user:42 cannot change while"):
        update_billable(database, ref, {"currency": "eur"}, now=clock())
    assert update_billable(database, ref, {"currency": "usd"}, now=clock()).currency == "usd"
