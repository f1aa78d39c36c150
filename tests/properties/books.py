"""The books, to the nano: what was used, what is owed, what is on items, what Stripe has."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from aimeter_cli.models.billables import Billable
from aimeter_cli.models.items import InvoiceItem
from aimeter_cli.models.overages import Overage
from aimeter_cli.models.usages import Usage
from tests.properties.fake_stripe import FakeStripe
from tests.support.world import World

STEP_NANOS = {"usd": 10**7, "eur": 10**7, "gbp": 10**7, "jpy": 10**9, "kwd": 10**7}
"""Nanos in the smallest amount that Stripe takes; of a dinar's 1,000 fils it takes tens."""
MINOR_NANOS = STEP_NANOS | {"kwd": 10**6}


def nanos(amount: Decimal | None) -> int:
    return 0 if amount is None else int(Fraction(amount) * 10**9)


@dataclass
class Books:
    """Everything that the database says at one moment, and Stripe's items beside it."""

    usages: list[Usage]
    overages: list[Overage]
    items: list[InvoiceItem]
    billables: list[Billable]
    stripe: FakeStripe

    @classmethod
    def of(cls, world: World, stripe: FakeStripe) -> Books:
        return cls(
            world.rows(Usage), world.overages, world.items, world.rows(Billable), stripe
        )  # fmt: skip

    def check(self) -> None:
        """What must hold at every moment, also while requests are under way."""
        self.every_charge_is_in_its_overage()
        self.conversions_are_those_of_the_pinned_rate()
        self.one_live_item_of_a_key()
        for item in self.items:
            self.item_adds_up(item)
        self.stripe_has_what_settled_items_say()
        self.nobody_is_overcharged()

    def check_settled(self) -> None:
        """What must hold besides once nothing is left to do."""
        assert {o.status for o in self.overages} <= {"synced", "carried", "waived"}
        assert {item.status for item in self.items} <= {"idle", "closed"}
        owed: dict[tuple[int, str], int] = defaultdict(int)
        for overage in self.overages:
            if overage.status != "waived" and overage.external_item_id is None:
                assert overage.charge_currency is not None
                owed[overage.billable_id, overage.charge_currency] += nanos(overage.charge_amount)
        for item in self.items:
            key = (item.billable_id, item.currency)
            owed[key] -= self.at_stripe(item) + self.rest(item)
        assert not any(owed.values()), dict(owed)

    def every_charge_is_in_its_overage(self) -> None:
        charged: Counter[int] = Counter()
        for usage in self.usages:
            if usage.overage_id is not None:
                charged[usage.overage_id] += nanos(usage.charge)
            else:
                assert usage.charge == 0
        assert {o.id: nanos(o.amount) for o in self.overages} == dict(charged)

    def conversions_are_those_of_the_pinned_rate(self) -> None:
        for overage in self.overages:
            if overage.charge_amount is not None:
                rate = Fraction(overage.exchange_rate or 1)
                assert overage.exchange_rate or overage.charge_currency == overage.currency
                assert nanos(overage.charge_amount) == round(nanos(overage.amount) * rate)

    def one_live_item_of_a_key(self) -> None:
        live = Counter(
            (i.billable_id, i.subscription_id, i.period_start, i.currency)
            for i in self.items if i.status != "closed"
        )  # fmt: skip
        assert not live or max(live.values()) == 1

    def total(self, item: InvoiceItem) -> int:
        """Nanos that an item stands for: its overages and what was carried into it."""
        own = [o for o in self.overages if o.item_id == item.id and o.status != "waived"]
        carried = [i for i in self.items if i.carried_to_id == item.id]
        return sum(nanos(o.charge_amount) for o in own) + sum(nanos(i.carry_out) for i in carried)

    def item_adds_up(self, item: InvoiceItem) -> None:
        """A closed item to the nano; a settled one is rounded down, and never below 0."""
        total, step = self.total(item), STEP_NANOS[item.currency]
        if item.status == "closed":
            if item.reason != "changed_at_stripe":  # a person's amount: nothing is carried
                assert total == self.in_nanos(item, item.final_minor) + nanos(item.carry_out)
            else:
                assert item.carry_out == 0
        elif item.status == "idle" and not item.is_dirty:
            assert self.in_nanos(item, item.confirmed_minor) == max(0, total // step * step)

    def stripe_has_what_settled_items_say(self) -> None:
        tags = Counter(i.tag for i in self.stripe.items.values() if not i.is_deleted)
        assert not tags or max(tags.values()) == 1
        for item in self.items:
            theirs = self.stripe.items.get(item.stripe_item_id or "")
            if theirs is None:
                continue
            if item.status == "closed" and not theirs.is_deleted:
                assert theirs.amount == item.final_minor
            elif item.status == "idle" and not theirs.is_touched:
                assert theirs.amount == item.confirmed_minor

    def nobody_is_overcharged(self) -> None:
        """At no moment; what is waived may stay on a pending item until the next run."""
        touched = {i.customer for i in self.stripe.items.values() if i.is_touched}
        owed: Counter[tuple[int, str]] = Counter()
        for overage in self.overages:
            if overage.charge_currency is not None:
                key = (overage.billable_id, overage.charge_currency)
                owed[key] += nanos(overage.charge_amount)
        uids = {item.uid: item.billable_id for item in self.items}
        spoiled = set()
        for theirs in self.stripe.items.values():
            billable = uids[theirs.tag.partition(":")[2]]
            if theirs.customer in touched:
                spoiled.add(billable)
            if not theirs.is_deleted:
                owed[billable, theirs.currency] -= theirs.amount * MINOR_NANOS[theirs.currency]
        assert all(left >= 0 for (who, _), left in owed.items() if who not in spoiled), owed

    def at_stripe(self, item: InvoiceItem) -> int:
        """Nanos of an item as Stripe has it, or would have it but for a person's amount."""
        theirs = self.stripe.items.get(item.stripe_item_id or "")
        if theirs is None or theirs.is_deleted:
            return 0
        if item.status == "closed" and item.reason == "changed_at_stripe":
            return self.total(item)
        return self.in_nanos(item, item.confirmed_minor if theirs.is_touched else theirs.amount)

    def rest(self, item: InvoiceItem) -> int:
        """Nanos that an item holds below one minor unit, or passes on and nobody has taken yet."""
        if item.status == "closed":
            return nanos(item.carry_out) if item.carried_to_id is None else 0
        return self.total(item) - self.in_nanos(item, item.confirmed_minor)

    def in_nanos(self, item: InvoiceItem, minor: int | None) -> int:
        return (minor or 0) * MINOR_NANOS[item.currency]
