"""Usages, runs, failures, persons, operators and time in any order: the books stay right.

``PROPERTY_EXAMPLES=2000`` (and ``PROPERTY_STEPS=60``) looks further, at other examples each time.
"""

from __future__ import annotations

import os
import shutil
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import event

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import Conflict
from aimeter_cli.services.billables import update_billable
from aimeter_cli.services.overages import by_hand
from aimeter_cli.services.sync.report import Report
from aimeter_cli.settings.table import Settings
from tests.properties.books import Books, nanos
from tests.properties.charges import NANOS, Meter, Terms
from tests.properties.fake_stripe import READING, SENDING, FakeStripe, Item, Killed
from tests.support.world import World

EXAMPLES = os.environ.get("PROPERTY_EXAMPLES")
STEPS = int(os.environ.get("PROPERTY_STEPS", "25"))
USD_EUR = Decimal("0.85")
RATES = {"usd_eur": USD_EUR, "usd_jpy": Decimal("151.37"), "usd_kwd": Decimal("0.30711")}

CURRENCIES = (
    ("usd", None), ("usd", "eur"), ("usd", "jpy"), ("usd", "kwd"), ("usd", "gbp"), ("jpy", None),
    ("kwd", None),
)  # fmt: skip
"""Of a plan, and of its customer. There is no rate for pounds before somebody stores one."""

drawn_terms = st.builds(
    lambda pair, *limits: (pair[1], Terms(pair[0], *limits)),
    st.sampled_from(CURRENCIES),
    st.sampled_from([1000, 0, None]),
    st.sampled_from([None, Decimal(0), Decimal("0.01")]),
    st.sampled_from([None, 0, 3]),
    st.sampled_from([None, None, *map(Decimal, ("0.02", "0.004", "1.337000001", "29"))]),
)
costs = st.one_of(
    st.sampled_from(["0", "0.0000000004", "0.0000000005", "0.0000000015", "0.29", "12.345678901"]),
    st.decimals(0, 20, places=10, allow_nan=False).map(lambda cost: f"{cost:f}"),
)
which = st.integers(0, 2)
on_the_way = st.lists(st.sampled_from(["fine"] * 6 + sorted(SENDING)), min_size=2, max_size=4)
while_reading = st.lists(st.sampled_from(["fine"] * 3 + sorted(READING)), max_size=3)
any_one = st.integers(0, 1000)


class Money(RuleBasedStateMachine):
    """Three billables, each on a plan of its own."""

    template: Path

    @initialize(
        plans=st.lists(drawn_terms, min_size=3, max_size=3),
        markup=st.sampled_from(["1", "1.25", "1.3337"]),
        marks_replays=st.booleans(),
    )
    def begin(
        self, plans: list[tuple[str | None, Terms]], markup: str, marks_replays: bool
    ) -> None:
        self.folder = Path(mkdtemp())
        shutil.copy(self.template, self.folder / "money.db")
        self.database = Database(f"sqlite:///{self.folder / 'money.db'}")
        event.listen(self.database.engine, "connect", _without_fsync)
        self.stripe = FakeStripe(marks_replays=marks_replays)
        chosen = Settings(
            overage_markup=Decimal(markup), currency_rates=RATES, stripe_concurrency=1,
            stripe_timeout_seconds=1, lease_seconds=600,
        )  # fmt: skip
        self.world = World(self.database, None, chosen)  # type: ignore[arg-type]
        self.world.driver = self.stripe
        self.customers = [f"cus_{n}" for n in range(3)]
        self.currencies = [currency for currency, _ in plans]
        self.terms = [terms for _, terms in plans]
        self.meters: dict[tuple[int, datetime], Meter] = {}
        for n, (currency, terms) in enumerate(plans):
            plan = self.world.plan(
                f"plan{n}", currency=terms.currency, token_limit=terms.token_limit,
                cost_limit=terms.cost_limit, request_limit=terms.request_limit,
                overage_price_per_1k_tokens=terms.price_per_1k,
            )  # fmt: skip
            self.world.subscriber(
                f"user:{n}", plan=plan, customer=f"cus_{n}", currency=currency,
                started_at=datetime(2026, 1, 1, tzinfo=UTC),
            )  # fmt: skip
            self.use(n, 2500, "1.234567891", in_euro=False, months_ago=0)

    @rule(
        who=which, tokens=st.sampled_from([0, 1, 999, 1001, 2500, 12_345, 1_000_000]), cost=costs,
        in_euro=st.booleans(), months_ago=st.sampled_from([0, 0, 0, 1, 2]),
    )  # fmt: skip
    def use(self, who: int, tokens: int, cost: str, in_euro: bool, months_ago: int) -> None:
        terms, now = self.terms[who], self.world.now
        months = now.year * 12 + now.month - 1 - months_ago
        moment = now.replace(year=months // 12, month=months % 12 + 1)
        converts = in_euro and terms.currency == "usd"
        spent = round(Fraction(cost) * NANOS)
        if converts:
            spent = round(spent / Fraction(USD_EUR))
        period = moment.replace(day=1, hour=0)
        meter = self.meters.setdefault(
            (who + 1, period), Meter(terms, Fraction(self.world.settings.overage_markup))
        )
        meter.add(tokens, spent)
        self.world.use(
            tokens, f"user:{who}", cost=cost, currency="eur" if converts else terms.currency,
            occurred_at=moment,
        )  # fmt: skip

    @rule(
        limit=st.sampled_from([100, 1, 2]), who=st.sampled_from([None, None, 0, 1, 2]),
        retry_now=st.booleans(), sending=on_the_way, reading=while_reading,
    )  # fmt: skip
    def sync(
        self, limit: int, who: int | None, retry_now: bool, sending: list[str], reading: list[str]
    ) -> None:
        self.stripe.sending, self.stripe.reading = deque(sending), deque(reading)
        billable = None if who is None else who + 1
        with suppress(Killed):  # while it looks for closed invoices
            report = self.world.sync(limit=limit, billable_id=billable, retry_now=retry_now)
            assert report.fault is None or isinstance(report.fault, Killed), report.fault
        self.stripe.sending.clear()
        self.stripe.reading.clear()

    @rule(seconds=st.sampled_from([0, 60, 700, 25 * 3600]))
    def time_passes(self, seconds: int) -> None:
        """In which all arrives that was held up on its way."""
        self.stripe.time_passes(seconds)
        self.world.time_passes(seconds)

    @rule()
    def a_month_passes(self) -> None:
        now = self.world.now
        self.world.now = now.replace(year=now.year + now.month // 12, month=now.month % 12 + 1)
        self.time_passes(25 * 3600)

    @rule(value=st.sampled_from(["0.79", "0.7312", "0.81"]))
    @precondition(lambda self: "gbp" in self.currencies)
    def somebody_stores_a_rate(self, value: str) -> None:
        self.world.execute("DELETE FROM ai_rates")
        self.world.execute(
            "INSERT INTO ai_rates (base, quote, value, source, effective_at, created_at)"
            " VALUES ('usd', 'gbp', :value, 'bank', :at, :at)",
            value=value, at=f"{self.world.now:%Y-%m-%d} 00:00:00.000000",
        )  # fmt: skip

    @rule(one=any_one)
    @precondition(lambda self: any(self.pending()))
    def a_person_finalises(self, one: int) -> None:
        customers = sorted({item.customer for item in self.pending()})
        self.stripe.finalise(customers[one % len(customers)])

    @rule(one=any_one, amount=st.sampled_from([None, 0, 10, 770, 123_450]))
    @precondition(lambda self: any(self.known_at_stripe()))
    def a_person_changes_or_deletes(self, one: int, amount: int | None) -> None:
        known = list(self.known_at_stripe())
        item = known[one % len(known)]
        item.is_touched, item.is_deleted = True, amount is None
        item.amount = item.amount if amount is None else amount

    def pending(self) -> Iterator[Item]:
        for item in self.stripe.items.values():
            if item.invoice is None and not item.is_deleted:
                yield item

    def known_at_stripe(self) -> Iterator[Item]:
        """Pending items that aimeter has seen; it can know nothing of the others' fate."""
        known = {item.stripe_item_id for item in self.world.items}
        return (item for item in self.pending() if item.id in known)

    @rule(one=any_one, act=st.sampled_from(["waive", "release", "retry", "mark"]))
    @precondition(lambda self: bool(self.world.overages))
    def an_operator_acts(self, one: int, act: str) -> None:
        """What cannot be done with an overage is refused as a conflict."""
        overages, now = self.world.overages, self.world.now
        overage = overages[one % len(overages)].id
        with suppress(Conflict):
            if act == "waive":
                by_hand.waive(self.database, [overage], reason="goodwill", now=now)
            elif act == "release":
                by_hand.release(self.database, [overage], now=now)
            elif act == "retry":
                by_hand.retry(self.database, [overage], now=now)
            else:
                by_hand.mark_synced(self.database, overage, f"ii_byhand{overage:06}", now=now)

    @rule(who=which)
    def an_operator_changes_the_customer(self, who: int) -> None:
        self.customers.append(f"cus_{len(self.customers)}")
        with suppress(Conflict):
            update_billable(
                self.database, BillableRef("user", str(who)),
                {"stripe_customer_id": self.customers[-1]}, now=self.world.now, force=True,
            )  # fmt: skip

    @invariant()
    def the_books_are_right(self) -> None:
        books = Books.of(self.world, self.stripe)
        books.check()
        charged: dict[tuple[int, datetime], int] = defaultdict(int)
        for overage in books.overages:
            charged[overage.billable_id, overage.period_start] += nanos(overage.amount)
        due = {key: meter.charge() for key, meter in self.meters.items()}
        assert dict(charged) == {key: charge for key, charge in due.items() if charge}

    def teardown(self) -> None:
        if not hasattr(self, "database"):
            return
        try:
            self.everything_is_settled()
        finally:
            self.database.dispose()
            shutil.rmtree(self.folder)

    def everything_is_settled(self) -> None:
        """Without failures, and with an operator who does what is asked for, a few runs do."""
        now = self.world.now  # after another month every invoice is looked for
        self.world.now = now.replace(year=now.year + now.month // 12, month=now.month % 12 + 1)
        self.somebody_stores_a_rate("0.8")
        self.sync(100, None, True, ["lost", "500 after", "502 after"], [])  # a last storm
        for seconds in (700, *[25 * 3600] * 4):  # keys are sent again first, looked up later
            self.time_passes(seconds)
            self.operator_does_what_is_asked_for()
            last = self.quiet_run()
        self.the_books_are_right()
        assert (last.selected, last.remaining, last.blocked) == (0, 0, [])
        assert last.exit_code == 0
        Books.of(self.world, self.stripe).check_settled()

    def operator_does_what_is_asked_for(self) -> None:
        by_hand.retry(self.database, None, now=self.world.now)
        for overage in self.world.overages:
            with suppress(Conflict):
                by_hand.release(self.database, [overage.id], now=self.world.now)

    def quiet_run(self) -> Report:
        report = self.world.sync(limit=1000)
        assert report.fault is None
        return report


def _without_fsync(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous=OFF")


def test_in_any_order_every_nano_is_accounted_for(sqlite_template: Path) -> None:
    machine = type("Machine", (Money,), {"template": sqlite_template})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=int(EXAMPLES or 15), stateful_step_count=STEPS, deadline=None,
            derandomize=EXAMPLES is None, database=None, print_blob=False,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
