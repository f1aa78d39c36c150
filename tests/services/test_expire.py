"""``subscriptions expire``: batch by batch, each subscription once, whoever runs it, and when."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import Session, select

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.endings import ending
from aimeter_cli.models.billables import Billable
from aimeter_cli.models.plans import Plan
from aimeter_cli.models.subscriptions import Subscription
from aimeter_cli.services.subscriptions import ending as service
from aimeter_cli.services.subscriptions.ending import expire_subscriptions
from tests.conftest import NOW, Cli
from tests.services.world_of_plans import events
from tests.support.processes import context, start
from tests.webhooks.conftest import make_world
from tests.webhooks.payloads import failure


def subscribers(database: Database, count: int) -> None:
    """So many, all in a grace that ended a day ago."""
    began = NOW - timedelta(days=40)
    made: dict[str, Any] = {"created_at": began, "updated_at": began}
    with database.write() as session:
        plan = Plan(slug="pro", name="Pro", currency="usd", **made)
        people = [
            Billable(type="user", external_id=str(number), created_at=began)
            for number in range(count)
        ]
        session.add_all([plan, *people])
        session.flush()
        session.add_all(
            Subscription(
                billable_id=each.id, plan_id=plan.id, started_at=began, period_anchor=began,
                grace_period_ends_at=NOW - timedelta(days=1), grace_invoice_id=f"in_{each.id}",
                **made,
            )
            for each in people
        )  # fmt: skip


def told(database: Database) -> Counter[int]:
    """How often each subscription's expiry was told."""
    return Counter(json.loads(payload)["subscription_id"] for _, payload in events(database))


def live(database: Database) -> int:
    with database.read() as session:
        return len(session.exec(select(Subscription).where(Subscription.is_live)).all())


def expire_in_process(url: str, now: datetime) -> int:
    database = Database(url)
    service._BATCH = 3
    try:
        return len(expire_subscriptions(database, now=now))
    finally:
        database.dispose()


def expire_and_die(url: str, now: datetime) -> None:
    """Dies in the second batch, with one of its three closed."""
    real, closed = service.close_over, 0

    def dies(session: Session, subscription: Subscription, now: datetime) -> None:
        nonlocal closed
        real(session, subscription, now)
        closed += 1
        if closed == 4:
            os.kill(os.getpid(), signal.SIGKILL)

    service._BATCH = 3
    service.close_over = dies
    expire_subscriptions(Database(url), now=now)


def address(database: Database) -> str:
    return database.url.render_as_string(hide_password=False)


def test_processes_at_once_expire_each_subscription_once(any_database: Database) -> None:
    subscribers(any_database, 30)
    running = start(expire_in_process, [(address(any_database), NOW)] * 4)
    assert sum(each.result() for each in running) == 30
    assert (live(any_database), len(told(any_database))) == (0, 30)
    assert set(told(any_database).values()) == {1}


def test_a_run_that_was_killed_keeps_whole_batches_and_the_next_does_the_rest(
    any_database: Database,
) -> None:
    subscribers(any_database, 8)
    process = context().Process(target=expire_and_die, args=(address(any_database), NOW))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert (live(any_database), len(told(any_database))) == (5, 3)
    assert len(expire_subscriptions(any_database, now=NOW)) == 5
    assert (live(any_database), len(told(any_database))) == (0, 8)
    assert set(told(any_database).values()) == {1}


def test_a_rehearsal_names_all_of_several_batches_and_changes_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_BATCH", 2)
    subscribers(database, 5)
    assert len(expire_subscriptions(database, now=NOW, dry_run=True)) == 5
    assert (live(database), events(database)) == (5, [])


def test_one_that_was_marked_as_expired_before_only_loses_its_place(database: Database) -> None:
    subscribers(database, 1)
    with database.write() as session:
        session.exec(select(Subscription)).one().expired_at = NOW - timedelta(days=1)
    assert len(expire_subscriptions(database, now=NOW)) == 1
    assert (live(database), events(database)) == (0, [])


def test_a_row_that_another_process_holds_is_left_to_it(pg_database: Database) -> None:
    """Such as one that is being paid: it is not waited for, and not expired behind its back."""
    subscribers(pg_database, 3)
    with pg_database.write() as session:
        session.exec(select(Subscription).where(Subscription.id == 2).with_for_update()).one()
        assert [view.subscription.id for view in expire_subscriptions(pg_database, now=NOW)] == [
            1, 3,
        ]  # fmt: skip
    assert [view.subscription.id for view in expire_subscriptions(pg_database, now=NOW)] == [2]


def test_a_run_leaves_a_row_with_its_count(cli: Cli) -> None:
    done = cli("subscriptions", "expire", "--format", "json")
    assert (done.code, done.json) == (0, [])
    [job] = [
        job
        for job in cli("status", "--format", "json").json["jobs"]
        if job["command"] == "subscriptions expire"
    ]
    assert (job["exit_code"], job["counts"]) == (0, {"closed": 0})


@pytest.mark.parametrize("door", ["cron", "webhook", "neither yet"])
def test_cron_the_webhook_and_the_sync_agree_on_what_has_expired(
    door: str, database: Database
) -> None:
    """Pending overage is held for want of payment, whoever came first, and grace ended then."""
    world, days = make_world(database), 0 if door == "webhook" else 7
    world.with_grace(days).receive(failure(at="2026-12-01T01:00:00"))
    if door == "cron":
        expire_subscriptions(world.database, now=datetime.fromisoformat("2026-12-20T00:00:00Z"))
    row = world.subscription()
    later = datetime.fromisoformat("2026-12-20T00:00:00Z")
    assert ending(row, later, "invoice") == "hold"
    expired = [payload for name, payload in world.told() if name == "SubscriptionExpired"]
    assert len(expired) == (0 if door == "neither yet" else 1)
    for payload in expired:
        assert payload["expired_at"] == f"2026-12-0{1 + days}T01:00:00Z"
        assert payload["invoice_id"] == row.grace_invoice_id
