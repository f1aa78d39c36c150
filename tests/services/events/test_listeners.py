"""Listeners are told what is committed, nothing else, and harm nobody by what they raise."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from aimeter_cli import events
from aimeter_cli.app import App
from aimeter_cli.db.engine import Database
from aimeter_cli.domain.events import EventName
from aimeter_cli.domain.usage import usage_line
from aimeter_cli.errors import ConfigurationError
from aimeter_cli.models.domain_events import DomainEvent
from aimeter_cli.repositories.outbox import emit, savepoint
from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.services.events import listeners
from aimeter_cli.services.recording.record import Recorder
from aimeter_cli.services.subscriptions.ending import expire_subscriptions
from aimeter_cli.settings.sinks import event_sinks
from aimeter_cli.settings.table import Settings
from tests.conftest import NOW, Cli
from tests.services.world_of_plans import a_plan, a_subscription, change, day
from tests.support.world import NO_PRICES, World, sandbox_settings

Told = list[Any]


@pytest.fixture(autouse=True)
def _nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners, "_listeners", {})


@pytest.fixture
def told() -> Told:
    """Every event that is told."""
    heard: Told = []
    events.listen(events.Event, heard.append)
    return heard


@pytest.fixture
def app(any_database: Database) -> Iterator[App]:
    url = any_database.url.render_as_string(hide_password=False)
    made = App(overrides={"database_url": url})
    yield made
    made.close()


def _emit(session: Any, number: int = 1, name: EventName = EventName.PAYMENT_FAILED) -> None:
    payload = {"billable": "user:42", "attempt_count": number}
    emit(session, name, billable_id=None, now=NOW, payload=payload)


def _stored(app: App) -> list[DomainEvent]:
    with app.database.read() as session:
        return list(session.exec(select(DomainEvent)))


def test_listeners_are_told_after_the_commit_and_not_before(app: App, told: Told) -> None:
    with app.database.write() as session:
        _emit(session)
        assert told == []
    [event] = told
    assert (type(event), event.billable) == (events.PaymentFailed, "user:42")


def test_a_listener_finds_what_it_is_told_committed_and_may_write(app: App) -> None:
    def again(event: events.PaymentFailed) -> None:
        with app.database.write() as session:
            _emit(session, name=EventName.PROVIDER_CALL_FAILED)

    with events.listening(events.PaymentFailed, again), app.database.write() as session:
        _emit(session)
    assert len(_stored(app)) == 2


def test_a_rollback_tells_nothing(app: App, told: Told) -> None:
    def write() -> None:
        with app.database.write() as session:
            _emit(session)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert told == []


def test_a_dry_run_tells_nothing(app: App, told: Told) -> None:
    with app.database.write(dry_run=True) as session:
        _emit(session)
    assert told == []


def test_a_savepoint_that_is_rolled_back_tells_nothing_of_its_own(app: App, told: Told) -> None:
    def write(session: Any) -> None:
        with savepoint(session):
            _emit(session, 2)
            raise ZeroDivisionError

    with app.database.write() as session:
        _emit(session, 1)
        with pytest.raises(ZeroDivisionError):
            write(session)
        with savepoint(session):
            _emit(session, 3)
    assert [event.attempt_count for event in told] == [1, 3]


def test_a_billable_that_the_payload_does_not_name_is_looked_up(app: App, told: Told) -> None:
    a_plan(app.database, NOW)
    view = a_subscription(app.database, NOW)
    number = view.subscription.id
    change(app.database, number, grace_period_ends_at=day(7), grace_invoice_id="in_1")
    expire_subscriptions(app.database, now=day(8))
    [expired] = told
    assert isinstance(expired, events.SubscriptionExpired)
    assert (expired.billable, expired.subscription.id) == ("user:42", number)
    assert (expired.expired_at, expired.invoice_id) == (day(7), "in_1")


def test_what_one_raises_is_logged_and_the_others_are_told(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    heard: Told = []

    def broken(event: events.PaymentFailed) -> None:
        raise ValueError("sk_test_secret in a message")

    events.listen(events.PaymentFailed, broken)
    events.listen(events.PaymentFailed, heard.append)
    with caplog.at_level(logging.WARNING, "aimeter.events"), app.database.write() as session:
        _emit(session)
    assert len(heard) == 1
    [record] = caplog.records
    assert record.name == "aimeter.events"
    message = record.getMessage()
    assert "broken failed on PaymentFailed: ValueError at tests.services.events" in message
    assert "secret" not in caplog.text


def test_a_listener_listens_once_by_type_until_it_is_forgotten(app: App) -> None:
    heard: Told = []

    @events.listen(events.PaymentFailed)
    def one(event: events.PaymentFailed) -> None:
        heard.append(event)

    events.listen(events.PaymentFailed, one)
    for _ in range(2):
        with app.database.write() as session:
            _emit(session)
            _emit(session, name=EventName.PROVIDER_CALL_FAILED)
        events.forget(one)
    assert [type(event) for event in heard] == [events.PaymentFailed]


def test_only_types_of_events_and_plain_functions_are_taken() -> None:
    async def later(event: events.Event) -> None:
        """Nobody would await it."""

    wrong: tuple[tuple[Any, Any], ...] = (
        (str, print), (events.Event, later), (events.Event, "name"),
    )  # fmt: skip
    for event, listener in wrong:
        with pytest.raises(TypeError, match="listen: expected"):
            events.listen(event, listener)


def test_overage_charged_is_told_for_each_overage_with_its_amount(
    database: Database, sandbox: SandboxControl, told: Told
) -> None:
    world = World(database, sandbox, sandbox_settings(sandbox.url))
    database.after_commit = lambda emitted: listeners.tell(database, emitted)
    world.subscriber(plan=world.plan())
    world.use(501_000)
    world.sync(dry_run=True)
    world.sync()
    world.use(50_000)
    world.sync()
    world.close()
    charged = [event for event in told if isinstance(event, events.OverageCharged)]
    assert [(event.amount, event.currency, event.overage.tokens) for event in charged] == [
        (Decimal(10), "usd", 500_000), (Decimal(1), "usd", 50_000),
    ]  # fmt: skip
    assert [event.overage.id for event in charged] == [row.id for row in world.overages]
    [item] = {event.stripe_invoice_item_id for event in charged}
    assert str(item).startswith("ii_")


def _usage(key: str, **more: Any) -> Any:
    return usage_line(
        {"billable": "user:42", "provider": "openai", "model": "m", "input_tokens": 7,
         "cost": "0.5", "idempotency_key": key, "meta": {"ticket": 9}, **more},
        now=NOW,
    )  # fmt: skip


def test_usage_recorded_is_told_to_listeners_and_not_stored_for_nobody(app: App) -> None:
    heard: list[events.UsageRecorded] = []
    recorder = Recorder(app.database, app.settings, NO_PRICES)
    with events.listening(events.UsageRecorded, heard.append):
        recorder.record([_usage("a"), _usage("b", output_tokens=3)], now=NOW)
        recorder.record([_usage("a")], now=NOW)
        recorder.record([_usage("c")], now=NOW, dry_run=True)
    recorder.record([_usage("d")], now=NOW)
    assert [event.idempotency_key for event in heard] == ["a", "b"]
    first, second = heard
    assert (first.billable, first.model, first.input_tokens) == ("user:42", "m", 7)
    assert (first.cost, first.currency, first.state) == (Decimal("0.5"), "usd", "priced")
    assert (first.meta, first.occurred_at, second.output_tokens) == ({"ticket": 9}, NOW, 3)
    assert _stored(app) == []


def test_usage_recorded_is_stored_where_a_sink_wants_it_without_what_is_private(app: App) -> None:
    sinks = event_sinks([{"name": "all", "command": ["true"], "events": ["UsageRecorded"]}])
    recorder = Recorder(app.database, Settings(event_sinks=sinks), NO_PRICES)
    recorder.record([_usage("a")], now=NOW)
    recorder.record([_usage("a")], now=NOW)
    [stored] = _stored(app)
    assert stored.name == "UsageRecorded"
    assert stored.billable_id is not None
    assert '"input_tokens": 7' in stored.payload
    assert not [text for text in ("ticket", "user:42") if text in stored.payload]


MODULE = """
from aimeter_cli import events
heard = []
def on_failure(event: events.PaymentFailed) -> None:
    heard.append(("typed", event.attempt_count))
def on_any(event):
    heard.append(("any", type(event).__name__))
@events.listen(events.PaymentFailed)
def decorated(event):
    heard.append(("decorated", event.attempt_count))
def broken(event):
    raise ValueError("of the application")
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module of an application, of which nothing has been imported."""
    import sys

    (tmp_path / "an_application.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "an_application"
    sys.modules.pop("an_application", None)


def test_the_configuration_names_listeners(
    database: Database, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_METERING_DATABASE_URL", str(database.url))
    paths = f"{module}:on_failure, {module}:on_any, {module}:decorated"
    monkeypatch.setenv("AI_METERING_EVENT_LISTENERS", paths)
    for _ in range(2):
        app = App()
        with app.database.write() as session:
            _emit(session, 5)
            _emit(session, name=EventName.PROVIDER_CALL_FAILED)
        app.close()
    import an_application  # type: ignore[import-not-found]

    once = [
        ("decorated", 5), ("typed", 5), ("any", "PaymentFailed"), ("any", "ProviderCallFailed"),
    ]  # fmt: skip
    assert an_application.heard == once * 2


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("no.such.module:f", "no.such.module:f cannot be imported: ModuleNotFoundError"),
        ("{module}:nothing", "an_application:nothing cannot be imported: AttributeError"),
        ("{module}:heard", "an_application:heard: listen: expected a plain function"),
        ("faulty:f", "faulty:f cannot be imported: ZeroDivisionError at faulty:1"),
    ],
)
def test_a_listener_that_cannot_be_imported_is_named(
    module: str,
    cli: Cli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    told: str,
) -> None:
    (tmp_path / "faulty.py").write_text("1 / 0\n")
    environ = {"AI_METERING_EVENT_LISTENERS": path.format(module=module)}
    done = cli("plans", "list", env=environ)
    assert done.code == 0  # the operator's command goes on: the module is the application's
    assert f"warning: event_listeners: {told}" in done.err
    monkeypatch.setenv("AI_METERING_EVENT_LISTENERS", path.format(module=module))
    with pytest.raises(ConfigurationError, match="event_listeners"):
        _ = App().database


def test_the_command_warns_of_a_listener_that_failed_and_does_its_work(
    cli: Cli, module: str
) -> None:
    environ = {"AI_METERING_EVENT_LISTENERS": f"{module}:broken"}
    done = cli(
        "usage", "record", "--billable", "user:42", "--provider", "openai", "--model", "m",
        "--input-tokens", 5, "--cost", "1", env=environ,
    )  # fmt: skip
    assert done.code == 0
    told = "listener an_application:broken failed on UsageRecorded: ValueError at an_application:"
    assert f"warning: {told}" in done.err
    assert "of the application" not in done.err
