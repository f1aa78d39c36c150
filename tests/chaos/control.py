"""The control: a plain loop that posts, then marks. The oracle must find it out."""

from __future__ import annotations

import multiprocessing
from fractions import Fraction
from typing import Any

import requests
from sqlalchemy import update

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.money import floor_to_minor, quantise, to_nanos
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.columns import table_of
from aimeter_cli.models.overages import Overage
from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.signals import StopFlag
from tests.chaos import books
from tests.chaos.oracle import Books, Charge, Entry
from tests.chaos.scenario import RATE, TIMEOUT, Person, settings
from tests.support.world import NOW, World

_PAUSE = 0.05


def loop(database_url: str, sandbox_url: str, _folder: str, _seed: str) -> None:
    """One of its processes: pass after pass."""
    database, pause = Database(database_url), StopFlag()
    world = World(database, SandboxControl(sandbox_url), settings(sandbox_url))
    story = multiprocessing.parent_process()
    while story is not None and story.is_alive():
        run(world)
        pause.wait(_PAUSE)


def run(world: World) -> None:
    """One pass over everything that is not marked; what fails is left to the next one."""
    payers = {billable.id: billable for billable in world.rows(Billable)}
    with requests.Session() as stripe:
        stripe.headers["Authorization"] = "Bearer sk_test_world"
        for overage in world.overages:
            if overage.status not in ("open", "frozen"):
                continue
            with world.database.write() as session:
                session.connection().execute(_change(overage.id, status="frozen"))
            item = _post(stripe, world.sandbox.url, overage, payers[overage.billable_id])
            if item is not None:
                with world.database.write() as session:
                    session.connection().execute(
                        _change(overage.id, status="synced", external_item_id=item)
                    )


def read(world: World, persons: list[Person]) -> Books:
    """Every overage should be an item of its own."""
    payers = {person.id: person for person in persons}
    charges: list[Charge] = []
    entries: list[Entry] = []
    for overage, nanos in books.charged(world, payers):
        person = payers[overage.billable_id]
        tag = str(overage.id)
        charges.append(Charge(overage.id, person.account, nanos, books.state(overage), tag))
        entries.append(Entry(tag, person.account, overage.external_item_id))
    return Books(charges, entries)


def _post(stripe: requests.Session, url: str, overage: Overage, payer: Billable) -> str | None:
    """The id of the new item; None if anything went wrong."""
    currency = payer.currency or overage.currency
    rate = RATE if payer.currency else 1
    amount = floor_to_minor(quantise(Fraction(to_nanos(overage.amount)) * Fraction(rate)), currency)
    form = {
        "customer": payer.stripe_customer_id, "amount": amount, "currency": currency,
        "metadata[aimeter_item]": overage.id,
    }  # fmt: skip
    try:
        answer = stripe.post(f"{url}/v1/invoiceitems", form, timeout=TIMEOUT)
        return str(answer.json()["id"]) if answer.status_code == 200 else None
    except requests.RequestException:
        return None


def _change(overage_id: int, **values: Any) -> Any:
    rows = table_of(Overage)
    return (
        update(rows)
        .where(rows.c.id == overage_id, rows.c.status.in_(("open", "frozen")))
        .values(**values, updated_at=NOW)
    )
