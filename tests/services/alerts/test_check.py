"""When an alert is told: once, again after a day, not while it flaps, and once if many look."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.services import installation
from aimeter_cli.services.alerts.check import TOLD_AT_ONCE
from aimeter_cli.services.alerts.listing import list_alerts
from tests.conftest import NOW
from tests.support import alert_process, processes
from tests.support.watch import Watch

RAISED, RESOLVED = ("raised", "sync_paused", ""), ("resolved", "sync_paused", "")
PAUSED = {"kinds": ["sync_paused"]}


def pause(watch: Watch) -> None:
    installation.pause(watch.database, "incident", now=NOW)


def resume(watch: Watch) -> None:
    installation.resume(watch.database)


def test_what_goes_on_is_told_again_after_a_day(watch: Watch) -> None:
    watch.alerts(PAUSED)
    pause(watch)
    assert watch.told() == [RAISED]
    assert watch.told(hours=23.9) == []
    assert watch.told(hours=0.1) == [("reminded", "sync_paused", "")]
    assert watch.told(hours=23.9) == []
    assert watch.told(hours=0.1) == [("reminded", "sync_paused", "")]
    assert [payload["is_reminder"] for _, payload in watch.events] == [False, True, True]
    assert {payload["opened_at"] for _, payload in watch.events} == {"2026-11-15T12:00:00Z"}


def test_what_comes_and_goes_is_told_once(watch: Watch) -> None:
    watch.alerts(PAUSED)
    pause(watch)
    assert watch.told() == [RAISED]
    for _ in range(5):
        resume(watch)
        assert watch.told(minutes=10) == []
        assert watch.told(minutes=19) == []
        pause(watch)
        assert watch.told(minutes=10) == []
    resume(watch)
    assert watch.told(minutes=10) == []
    assert watch.told(minutes=29) == []
    assert watch.told(minutes=1) == [RESOLVED]
    pause(watch)
    assert watch.told(minutes=1) == [RAISED]
    assert len(watch.rows) == 2


def test_patience_can_be_set(watch: Watch) -> None:
    watch.alerts(PAUSED | {"repeat": "1h", "resolve_after": 0})
    pause(watch)
    assert watch.told() == [RAISED]
    assert watch.told(minutes=60) == [("reminded", "sync_paused", "")]
    resume(watch)
    assert watch.told(minutes=1) == [RESOLVED]


def test_an_empty_wallet_is_told_once_however_long_it_stays_so(watch: Watch) -> None:
    watch.alerts({"kinds": ["wallet_low"], "wallet_low": "5"})
    watch.bank.add("1")
    assert watch.told() == [("raised", "wallet_low", "user:42")]
    for _ in range(3):
        assert watch.told(days=31) == []
    assert [row.closed_at for row in watch.rows] == [None]


def test_each_of_several_has_its_own_thresholds_and_patience(watch: Watch) -> None:
    kinds = {"kinds": ["wallet_low"]}
    watch.alerts(
        kinds | {"name": "sales", "wallet_low": "50"}, kinds | {"name": "ops", "wallet_low": "5"}
    )
    watch.bank.add("20")
    assert [each.alert for each in watch.check().told] == ["sales"]
    watch.bank.deduct("16")
    [told] = watch.check(minutes=1).told
    assert (told.alert, told.change) == ("ops", "raised")
    assert sorted(row.name for row in watch.rows) == ["ops", "sales"]


def test_what_is_kept_of_an_open_alert_is_what_holds_now(watch: Watch) -> None:
    watch.alerts({"kinds": ["wallet_low"], "wallet_low": "5"})
    watch.bank.add("4")
    watch.check()
    watch.bank.deduct("1")
    assert watch.told(minutes=1) == []
    [view] = list_alerts(watch.database, closed_too=False, limit=10)
    assert view.detail == "the wallet of user:42 has 3.00 USD, below 5.00 USD"
    assert view.facts == {"balance": "3.000000000", "limit": "5.000000000", "currency": "usd"}
    assert view.hint == "aimeter credits add user:42 AMOUNT"


def test_alerts_are_listed_with_where_they_stand(watch: Watch) -> None:
    watch.alerts(PAUSED)

    def standing() -> list[str]:
        return [each.status for each in list_alerts(watch.database, closed_too=False, limit=9)]

    pause(watch)
    watch.check()
    assert standing() == ["open"]
    resume(watch)
    watch.check(minutes=1)
    assert standing() == ["gone"]
    watch.check(minutes=30)
    assert standing() == []
    pause(watch)
    watch.check(minutes=1)
    listed = list_alerts(watch.database, closed_too=True, limit=9)
    assert [each.status for each in listed] == ["open", "closed"]


def test_what_is_watched_no_more_is_closed_and_told_as_that(watch: Watch) -> None:
    watch.alerts(PAUSED)
    pause(watch)
    watch.check()
    watch.alerts({"kinds": ["rates_stale"]})
    assert watch.told(minutes=1) == []
    assert watch.told(minutes=30) == [RESOLVED]
    assert watch.events[-1][1]["is_watched"] is False


def test_a_rehearsal_tells_what_it_would_and_changes_nothing(watch: Watch) -> None:
    watch.alerts(PAUSED)
    pause(watch)
    report = watch.check(dry_run=True)
    assert [each.change for each in report.told] == ["raised"]
    assert report.counts == {"raised": 1, "reminded": 0, "resolved": 0, "open": 1}
    assert (watch.rows, watch.events) == ([], [])


def test_many_at_once_are_told_as_some_and_a_number(watch: Watch) -> None:
    watch.alerts({"kinds": ["wallet_low"], "wallet_low": "5"})
    for number in range(TOLD_AT_ONCE + 7):
        watch.bank.add("1", ref=BillableRef("user", str(number)))
    report = watch.check()
    assert len(report.told) == TOLD_AT_ONCE + 1
    assert report.open == TOLD_AT_ONCE + 7
    assert report.told[-1].detail.startswith("and 7 more at once; the last is: the wallet of user:")
    assert watch.told(minutes=10) == []


def test_old_closed_alerts_are_forgotten(watch: Watch) -> None:
    watch.alerts(PAUSED | {"resolve_after": 0})
    pause(watch)
    watch.check()
    resume(watch)
    watch.check(minutes=1)
    watch.check(days=400)
    assert len(watch.rows) == 1
    watch.check(minutes=1)
    assert watch.rows == []


def _at_once(watch: Watch, monkeypatch: pytest.MonkeyPatch, number: int = 4) -> list[str]:
    """Checks that have all measured before any of them writes; what they told."""
    barrier, write = threading.Barrier(number), watch.database.write

    def together(**options: Any) -> AbstractContextManager[Session]:
        barrier.wait(30)
        return write(**options)

    with monkeypatch.context() as patch, ThreadPoolExecutor(number) as pool:
        patch.setattr(watch.database, "write", together)
        reports = [pool.submit(watch.check) for _ in range(number)]
        return [each.change for report in reports for each in report.result().told]


def test_of_several_that_look_at_once_one_tells(
    any_watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = any_watch
    watch.alerts(PAUSED)
    pause(watch)
    assert _at_once(watch, monkeypatch) == ["raised"]
    watch.now += timedelta(days=1)
    assert _at_once(watch, monkeypatch) == ["reminded"]
    resume(watch)
    watch.now += timedelta(minutes=1)
    assert _at_once(watch, monkeypatch) == []
    watch.now += timedelta(minutes=30)
    assert _at_once(watch, monkeypatch) == ["resolved"]
    assert len(watch.rows) == 1
    assert [name for name, _ in watch.events] == ["AlertRaised"] * 2 + ["AlertResolved"]


def test_of_several_processes_one_tells(pg_database: Database) -> None:
    watch = Watch(pg_database)
    pause(watch)
    url = pg_database.url.render_as_string(hide_password=False)
    running = processes.start(alert_process.main, [[url]] * 3)
    told = [change for process in running for change in process.result()]
    assert sorted(told) == ["raised", "reminded"]
    assert [name for name, _ in watch.events] == ["AlertRaised", "AlertRaised"]
