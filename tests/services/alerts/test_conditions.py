"""Each condition opens its alert once, keeps it open while it holds, and closes it once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from aimeter_cli.domain.alerts import CONDITIONS
from aimeter_cli.domain.rates import Rate
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.models.items import InvoiceItem, SyncAttempt
from aimeter_cli.models.webhook_events import WebhookEvent
from aimeter_cli.services import installation
from aimeter_cli.services.jobs import SYNC
from aimeter_cli.services.rates import confirm_rates, set_rates, update_rates
from tests.conftest import NOW
from tests.support.watch import Watch

Step = Callable[[Watch], object]


def subscribe(watch: Watch, **values: Any) -> int:
    return watch.world.subscriber(plan=watch.world.plan(), customer="cus_1", **values)


def owe(status: str, reason: str | None = None) -> Step:
    def made(watch: Watch) -> None:
        subscribe(watch)
        watch.world.use(501_000)
        watch.world.execute(
            "UPDATE ai_overages SET status = :status, reason = :reason",
            status=status, reason=reason,
        )  # fmt: skip

    return made


def item(**values: Any) -> Step:
    """An item at Stripe, of the month before."""

    def made(watch: Watch) -> None:
        billable = subscribe(watch)
        given: dict[str, Any] = {
            "uid": "u1", "billable_id": billable, "subscription_id": 1, "currency": "usd",
            "period_start": NOW - timedelta(days=80), "period_end": NOW - timedelta(days=50),
            "stripe_customer_id": "cus_1", "stripe_item_id": "ii_1", "confirmed_minor": 100,
            "created_at": NOW, "updated_at": NOW, **values,
        }  # fmt: skip
        with watch.database.write() as session:
            row = InvoiceItem(**given)
            session.add(row)
            session.flush()
            ago = datetime.now(UTC) - timedelta(minutes=61)
            session.add(
                SyncAttempt(
                    item_id=row.id, run_id="r", version=1, generation=0, kind="create",
                    amount_minor=1, request="{}", idempotency_key="k", first_sent_at=ago,
                    last_sent_at=ago,
                )
            )  # fmt: skip

    return made


def sql(statement: str) -> Step:
    return lambda watch: watch.world.execute(statement)


def event(status: str, **ago: float) -> Step:
    def made(watch: Watch) -> None:
        at = watch.now - timedelta(**ago)
        with watch.database.write() as session:
            session.add(
                WebhookEvent(
                    event_id=f"evt_{at:%H%M%S%f}", livemode=False, type="x", created=at,
                    payload="{}", digest="d", status=status, received_at=at,
                )
            )  # fmt: skip

    return made


def rate(value: str, source: str = "ecb", **ago: float) -> Step:
    def made(watch: Watch) -> None:
        at = watch.now - timedelta(**ago)
        given = [Rate("usd", "eur", Decimal(value), at, source)]
        update_rates(watch.database, watch.settings, given, now=watch.now)

    return made


def both(*steps: Step) -> Step:
    return lambda watch: [step(watch) for step in steps]


@dataclass(frozen=True)
class Case:
    """``begin`` makes it hold, ``end`` ends it; ``told``: what its detail is."""

    kind: str
    subject: str
    begin: Step
    end: Step
    told: str
    before: Step = lambda _watch: None
    wanted: dict[str, Any] = field(default_factory=dict)


def heard(watch: Watch) -> None:
    subscribe(watch, stripe_subscription_id="sub_1")
    event("processed", days=3)(watch)


def confirm(watch: Watch) -> None:
    confirm_rates(watch.database, watch.settings, [1], now=watch.now)


NO_RUNS = sql("DELETE FROM ai_job_runs")
CASES = [
    Case(
        "sync_paused", "", lambda w: installation.pause(w.database, "incident", now=NOW),
        lambda w: installation.resume(w.database),
        "the sync is paused since 2026-11-15 12:00 UTC: incident",
    ),
    Case(
        "sync_failing", "",
        item(status="unknown", version=1), sql("UPDATE ai_invoice_items SET status = 'idle'"),
        r"Stripe has given no clear answer since .* UTC: 1 request\(s\) are tried again",
    ),
    Case(
        "job_silent", SYNC, both(NO_RUNS, lambda w: w.ran(SYNC, 61)), lambda w: w.ran(SYNC, 2),
        rf"{SYNC} last succeeded \d{{4}}-\d\d-\d\d \d\d:\d\d UTC$",
        before=lambda w: w.ran(SYNC, 59),
    ),
    Case(
        "job_silent", "rates update",
        both(
            sql("DELETE FROM ai_job_runs WHERE command = 'rates update'"),
            lambda w: w.ran("rates update", 50, 4, "no network"),
        ),
        lambda w: w.ran("rates update", 2, 3),
        "rates update has never succeeded; its last run ended with exit 4: no network",
        before=both(lambda w: w.ran(SYNC, 1), lambda w: w.ran("rates update", 2870)),
        wanted={"jobs": {"rates update": "2d"}},
    ),
    Case(
        "overages_blocked", "held", owe("held", "too_much"),
        sql("UPDATE ai_overages SET status = 'waived'"),
        r"1 overage\(s\) cannot be sent: held \(too_much\): user:42",
    ),
    Case(
        "overages_blocked", "failed", owe("failed", "no such customer"),
        sql("UPDATE ai_overages SET status = 'waived'"),
        r"1 overage\(s\) cannot be sent: failed \(no such customer\): user:42",
    ),
    Case(
        "overages_blocked", "needs_rate", owe("needs_rate", "no rate from usd to eur"),
        sql("UPDATE ai_overages SET status = 'waived'"),
        r"1 overage\(s\) cannot be sent: needs_rate \(no rate from usd to eur\): user:42",
    ),
    Case(
        "overages_stranded", "not_collected", item(version=1),
        sql("UPDATE ai_invoice_items SET confirmed_minor = 0"),
        r"1 invoice item\(s\) at Stripe come on no invoice before long: not_collected: user:42",
    ),
    Case(
        "webhook_silence", "", lambda w: setattr(w, "now", w.now + timedelta(seconds=1)),
        event("processed"),
        "no event of Stripe has come since 2026-11-12 12:00 UTC: 1 live subscription",
        before=heard,
    ),
    Case(
        "webhooks_failing", "failed", event("failed"),
        sql("UPDATE ai_webhook_events SET status = 'processed'"),
        r"1 event\(s\) of Stripe could not be handled",
    ),
    Case(
        "webhooks_failing", "quarantined", event("quarantined"),
        sql("UPDATE ai_webhook_events SET status = 'ignored'"),
        r"1 delivery\(ies\) of the last 7 days are quarantined",
    ),
    Case(
        "rates_stale", "ecb", rate("0.85", days=6), rate("0.86"),
        r"the rates of ecb \(usd/eur\) are of 2026-11-09 12:00 UTC and will not be used after "
        "2026-11-16 12:00 UTC",
    ),
    Case(
        "rates_held", "", rate("0.5"), confirm,
        r"1 rate\(s\) moved too far and wait to be confirmed: usd/eur", before=rate("0.85", days=1),
    ),
    Case(
        "wallet_low", "user:42", lambda w: w.bank.deduct("6"), lambda w: w.bank.add("1"),
        "the wallet of user:42 has 4.00 USD, below 5.00 USD",
        before=lambda w: w.bank.add("10"), wanted={"wallet_low": "5"},
    ),
]  # fmt: skip


def test_there_is_a_case_for_every_condition() -> None:
    assert {case.kind for case in CASES} == set(CONDITIONS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}-{case.subject}")
def test_a_condition_is_told_when_it_begins_and_when_it_is_over_and_never_between(
    case: Case, watch: Watch
) -> None:
    watch.alerts({"kinds": [case.kind], **case.wanted})
    case.before(watch)
    assert watch.told() == []
    case.begin(watch)
    [raised] = watch.check().told
    assert (raised.change, raised.kind, raised.subject) == ("raised", case.kind, case.subject)
    assert re.match(case.told, raised.detail), raised.detail
    assert watch.told(minutes=10) == []
    case.end(watch)
    assert watch.told(minutes=10) == []
    assert watch.told(minutes=30) == [("resolved", case.kind, case.subject)]
    assert watch.told(minutes=10) == []
    assert [name for name, _ in watch.events] == ["AlertRaised", "AlertResolved"]
    [row] = watch.rows
    assert row.closed_at == watch.now - timedelta(minutes=10)


def test_what_the_configuration_does_not_want_is_not_told(watch: Watch) -> None:
    owe("held")(watch)
    watch.alerts({"kinds": ["rates_stale"]})
    assert watch.told() == []


def test_without_a_driver_nothing_is_missed_from_the_sync(watch: Watch) -> None:
    owe("held")(watch)
    watch.alerts({}, billing_driver="null")
    assert watch.told() == []


def test_a_paused_sync_is_not_silent_too(watch: Watch) -> None:
    watch.alerts({"kinds": ["job_silent", "sync_paused"]})
    installation.pause(watch.database, "incident", now=NOW)
    assert watch.told() == [("raised", "sync_paused", "")]


def test_old_rates_of_a_source_that_goes_on_are_not_told(watch: Watch) -> None:
    """A currency that a source has dropped ages for ever."""
    dropped = Rate("usd", "bgn", Decimal(2), NOW - timedelta(days=300), "ecb")
    fresh = Rate("usd", "eur", Decimal("0.85"), NOW, "ecb via eur")
    set_rates(watch.database, [dropped, fresh], now=NOW)
    watch.alerts({"kinds": ["rates_stale"]})
    assert watch.told() == []


def test_rates_that_are_not_used_any_more_are_told_so(watch: Watch) -> None:
    rate("0.85", days=8)(watch)
    watch.alerts({"kinds": ["rates_stale"]})
    [raised] = watch.check().told
    assert raised.detail.endswith("and are not used since 2026-11-14 12:00 UTC")


def test_a_wallet_is_measured_in_its_own_currency_and_forgotten_ones_begin_nothing(
    watch: Watch,
) -> None:
    watch.alerts({"kinds": ["wallet_low"], "wallet_low": {"usd": "5", "jpy": "500"}})
    for number, (amount, currency) in enumerate([("4", "usd"), ("400", "jpy"), ("1", "eur")]):
        watch.bank.add(amount, currency=currency, ref=BillableRef("user", str(number)))
    watch.now += timedelta(days=31)
    assert watch.told() == []
    watch.bank.now = watch.now
    for number in range(3):
        watch.bank.deduct("0.5" if number != 1 else "1", ref=BillableRef("user", str(number)))
    assert watch.told() == [("raised", "wallet_low", "user:0"), ("raised", "wallet_low", "user:1")]
    assert [row.billable_id for row in watch.rows] == [1, 2]


def test_the_empty_wallet_of_somebody_who_was_anonymised_is_nobodys(watch: Watch) -> None:
    watch.alerts({"kinds": ["wallet_low"], "wallet_low": "5"})
    watch.bank.add("4")
    watch.bank.deduct("4")
    watch.world.execute("UPDATE ai_billables SET anonymized_at = created_at")
    assert watch.told() == []


def test_a_threshold_of_nothing_is_for_wallets_below_it(watch: Watch) -> None:
    watch.alerts({"kinds": ["wallet_low"], "wallet_low": {"usd": "0"}})
    watch.bank.settings = replace(watch.bank.settings, credit_overdraft=True)
    watch.bank.add("1")
    assert watch.told() == []
    watch.bank.deduct("1.5")
    [raised] = watch.check().told
    assert raised.detail == "the wallet of user:42 has -0.50 USD, below 0.00 USD"


def test_an_amount_alone_is_a_threshold_in_any_currency(watch: Watch) -> None:
    watch.alerts({"kinds": ["wallet_low"], "wallet_low": "5"})
    watch.bank.add("4", currency="eur")
    assert watch.told() == [("raised", "wallet_low", "user:42")]
    watch.alerts({"kinds": ["wallet_low"]})
    assert watch.told(minutes=1) == []
    assert watch.told(minutes=30) == [("resolved", "wallet_low", "user:42")]
    assert watch.events[-1][1]["is_watched"] is False
