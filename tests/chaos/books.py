"""aimeter's rows as the oracle takes them: which usages are on which item."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

from aimeter_cli.domain.money import quantise, to_nanos
from aimeter_cli.models.items import InvoiceItem
from aimeter_cli.models.overages import Overage
from aimeter_cli.models.usages import Usage
from aimeter_cli.repositories.installation import installation
from tests.chaos.oracle import Books, Charge, Entry
from tests.chaos.scenario import Person
from tests.support.world import World

_STATES = {"synced": "charged", "waived": "excused"}


def read(world: World, persons: list[Person]) -> Books:
    """As aimeter has them. What an overage comes to is summed up from its usages."""
    payers = {person.id: person for person in persons}
    with world.database.read() as session:
        install = installation(session).install_id
    items: list[InvoiceItem] = world.items
    tags = {item.id: f"{install}:{item.uid}" for item in items}
    charges = [
        Charge(
            overage.id, payers[overage.billable_id].account, nanos, state(overage),
            tags.get(overage.item_id or 0),
        )
        for overage, nanos in charged(world, payers)
    ]  # fmt: skip
    entries = [
        Entry(
            tags[item.id], (payers[item.billable_id].customer, item.currency), item.stripe_item_id,
            item.status, None if item.carry_out is None else to_nanos(item.carry_out),
            tags.get(item.carried_to_id or 0),
        )
        for item in items
    ]  # fmt: skip
    return Books(charges, entries)


def charged(world: World, payers: dict[int, Person]) -> list[tuple[Overage, int]]:
    """Every overage with what its usages come to, in nanos of the customer's currency."""
    used: dict[int | None, int] = defaultdict(int)
    for usage in world.rows(Usage):
        used[usage.overage_id] += to_nanos(usage.charge)
    return [
        (row, quantise(Fraction(used[row.id]) * Fraction(payers[row.billable_id].rate)))
        for row in world.overages
    ]


def state(overage: Overage) -> str:
    """In the oracle's words; its own status where it is not settled."""
    if overage.status == "held" and overage.reason == "late_usage":
        return "excused"
    return _STATES.get(overage.status, overage.status)
