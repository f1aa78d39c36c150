"""``AiMeter``: checked before the call, recorded after it, and nothing in between."""

from __future__ import annotations

import asyncio
import logging
import pickle
import threading
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from aimeter_cli.domain.allowance import LimitExceeded
from aimeter_cli.domain.credits import InsufficientCredits
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import ConfigurationError, Conflict, InvalidInput, UsageNotRecorded
from aimeter_cli.metering import calls
from aimeter_cli.metering.meter import AiMeter
from aimeter_cli.services.credits.changes import add
from aimeter_cli.services.quota.check import check_quota_in
from aimeter_cli.services.recording.record import Recorder
from tests.metering.conftest import Make, chat
from tests.services.world_of_plans import events


def rows(meter: AiMeter, query: str) -> list[tuple[Any, ...]]:
    with meter._ready().database.read() as session:
        return [tuple(row) for row in session.connection().execute(text(query))]


def usages(meter: AiMeter) -> int:
    return int(rows(meter, "SELECT COUNT(*) FROM ai_usages")[0][0])


def test_a_call_returns_the_response_with_what_was_metered(make: Make) -> None:
    meter = make(token_limit=1000).feature("chat").with_meta(ticket=9)
    answer = chat(700, 150)
    got = meter.call(lambda: answer)
    assert got.response is answer
    assert got.usage is not None
    assert (got.usage.input_tokens, got.usage.output_tokens, got.usage.is_new) == (700, 150, True)
    assert (got.usage.billable, got.usage.feature) == ("user:42", "chat")
    assert got.remaining_tokens == 150
    assert got.is_approaching_limit is True
    assert got.limit_check.allowed is True
    [(meta, model)] = rows(meter, "SELECT meta, model FROM ai_usages")
    assert (meta, model) == ('{"ticket": 9}', "gpt-4o-mini")


def test_each_method_returns_a_new_meter(lite: AiMeter) -> None:
    other = lite.billable("user:43").with_meta(a=1)
    assert other is not lite
    lite.call(lambda: chat(10, 5))
    assert rows(lite, "SELECT DISTINCT b.external_id, u.meta FROM ai_usages u"
                " JOIN ai_billables b ON b.id = u.billable_id") == [("42", None)]  # fmt: skip


def test_the_meta_of_two_calls_is_not_mixed(lite: AiMeter) -> None:
    base = lite.with_meta(product="a")
    base.with_meta(ticket=1).call(lambda: chat(1, 1))
    base.with_meta(ticket=2).call(lambda: chat(1, 1))
    assert [meta for (meta,) in rows(lite, "SELECT meta FROM ai_usages ORDER BY id")] == [
        '{"product": "a", "ticket": 1}',
        '{"product": "a", "ticket": 2}',
    ]


def test_a_blocked_call_is_not_made(make: Make) -> None:
    meter = make(token_limit=100, overage_behavior="block")
    meter.call(lambda: chat(90, 10))
    called = []
    with pytest.raises(LimitExceeded) as caught:
        meter.call(lambda: called.append(1))
    assert called == []
    assert caught.value.check.remaining_tokens == 0
    assert usages(meter) == 1


def test_an_estimate_that_does_not_fit_is_refused_before_the_call(make: Make) -> None:
    meter = make(token_limit=100, overage_behavior="block")
    with pytest.raises(LimitExceeded):
        meter.estimate(tokens=101).call(lambda: chat(1, 1))
    assert meter.estimate(tokens=100).check().allowed is True
    assert usages(meter) == 0


def test_what_crosses_the_limit_is_charged_for_its_excess_only(make: Make) -> None:
    meter = make(token_limit=1000, overage_price_per_1k_tokens=Decimal("0.02"))
    got = meter.call(lambda: chat(1000, 500))
    assert got.usage is not None
    assert got.usage.charge == Decimal("0.01")
    assert got.remaining_tokens == 0


def test_a_providers_exception_passes_through_unchanged(make: Make) -> None:
    meter = make(token_limit=1000)
    trouble = KeyError("provider")

    def failing() -> None:
        raise trouble

    with pytest.raises(KeyError) as caught:
        meter.call(failing)
    assert caught.value is trouble
    assert usages(meter) == 0
    [(name, payload)] = events(meter._ready().database)
    assert name == "ProviderCallFailed"
    assert '"error": "KeyError"' in payload


def test_a_repeated_idempotency_key_changes_nothing_anywhere(make: Make) -> None:
    meter = make(token_limit=100).with_idempotency_key("request-1")
    first = meter.call(lambda: chat(100, 50))
    tables = ("ai_usages", "ai_overages", "ai_usage_counters", "ai_domain_events")
    before = {table: rows(meter, f"SELECT * FROM {table} ORDER BY id") for table in tables}
    again = meter.call(lambda: chat(120, 60))  # a model that is asked again says something else
    assert first.usage is not None
    assert again.usage is not None
    assert (first.usage.is_new, again.usage.is_new) == (True, False)
    assert before == {t: rows(meter, f"SELECT * FROM {t} ORDER BY id") for t in tables}


@pytest.mark.parametrize("change", ["feature", "billable"])
def test_a_key_of_another_call_is_refused_before_the_call(lite: AiMeter, change: str) -> None:
    lite.with_idempotency_key("k").call(lambda: chat(10, 5))
    other = lite.feature("other") if change == "feature" else lite.billable("user:43")
    with pytest.raises(Conflict):
        other.with_idempotency_key("k").call(lambda: pytest.fail("it was called"))


@pytest.mark.parametrize(
    "bad",
    [
        lambda meter: meter.with_meta(q="\ud800"),
        lambda meter: meter.with_meta(d={1: 2, "a": 3}),
        lambda meter: meter.feature("chat\n"),
        lambda meter: meter.with_idempotency_key("k" * 201),
        lambda meter: meter.for_tenant("a\0b"),
    ],
)
def test_what_could_not_be_recorded_is_refused_before_the_call(lite: AiMeter, bad: Any) -> None:
    with pytest.raises(InvalidInput):
        bad(lite).call(lambda: pytest.fail("it was called"))


def test_a_coroutine_given_to_call_is_refused(lite: AiMeter) -> None:
    async def ask() -> None:
        """Never awaited."""

    with pytest.raises(InvalidInput, match="use acall"):
        lite.call(ask)
    assert usages(lite) == 0


def test_what_was_not_recorded_can_be_recorded_later_as_it_was(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = make().billing_mode("credits").for_tenant("acme").for_user("user:9")
    here = meter._ready()
    add(here.database, here.settings, BillableRef("user", "42"), Decimal(1), now=here.now())
    with monkeypatch.context() as broken:
        broken.setattr(Recorder, "record", _fails)
        with pytest.raises(UsageNotRecorded) as caught:
            meter.call(lambda: chat(10, 5))
    [usage] = AiMeter(meter._ready()).record_many([pickle.loads(pickle.dumps(caught.value)).usage])
    assert (usage.total_tokens, usage.is_new) == (15, True)
    assert rows(meter, "SELECT billing_mode, user_ref, tenant FROM ai_usages") == [
        ("credits", "user:9", "acme")
    ]


def _fails(*_: Any, **__: Any) -> None:
    raise OperationalError("INSERT", {}, Exception("disk full"))


def test_the_response_is_there_although_the_limits_cannot_be_read_after_it(
    lite: AiMeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def check(*args: Any, **options: Any) -> Any:
        asked.append(1)
        return _fails() if len(asked) > 1 else check_quota_in(*args, **options)

    monkeypatch.setattr(calls, "check_quota_in", check)
    monkeypatch.setattr(calls, "check_after", lambda *_, **__: None)
    got = lite.call(lambda: chat(10, 5))
    assert (len(asked), usages(lite)) == (2, 1)
    assert got.limit_check.remaining_tokens == 1000


def test_an_error_goes_from_process_to_process(make: Make) -> None:
    meter = make(token_limit=0, overage_behavior="block")
    with pytest.raises(LimitExceeded) as caught:
        meter.call(lambda: chat(1, 1))
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.check.plan) == (str(caught.value), "pro")
    with pytest.raises(InsufficientCredits) as poor:
        meter.billing_mode("credits").call(lambda: chat(1, 1))
    assert str(pickle.loads(pickle.dumps(poor.value))) == str(poor.value)


def test_a_response_is_not_lost_when_the_database_fails_after_the_call(lite: AiMeter) -> None:
    answer = chat(10, 5)

    def call() -> dict[str, Any]:
        with lite._ready().database.write() as session:
            session.connection().execute(text("ALTER TABLE ai_usages RENAME TO gone"))
        return answer

    with pytest.raises(UsageNotRecorded) as caught:
        lite.call(call)
    assert caught.value.response is answer
    assert caught.value.usage["input_tokens"] == 10
    assert caught.value.usage["idempotency_key"]
    assert "INSERT" not in str(caught.value)


def test_a_response_without_usage_is_recorded_as_a_request_and_told(
    lite: AiMeter, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "aimeter"):
        got = lite.call(lambda: {"text": "hello"})
    assert got.usage is not None
    assert got.usage.total_tokens == 0
    assert "tells no usage" in caplog.text
    assert (got.usage.cost, got.usage.state) == (None, "unpriced")
    assert rows(lite, "SELECT requests FROM ai_usage_counters") == [(1,)]


def test_manual_usage_comes_before_what_the_response_tells(lite: AiMeter) -> None:
    got = lite.with_manual_usage(input_tokens=7, cost="0.5", currency="usd").call(
        lambda: chat(100, 100)
    )
    assert got.usage is not None
    assert (got.usage.total_tokens, got.usage.cost) == (7, Decimal("0.5"))


def test_record_takes_usage_that_is_known_already(lite: AiMeter) -> None:
    usage = lite.with_manual_usage(input_tokens=900, output_tokens=50).record()
    assert (usage.total_tokens, usage.is_new) == (950, True)
    with pytest.raises(InvalidInput, match="there is no usage"):
        lite.record()


def test_record_repeats_only_what_is_the_same(lite: AiMeter) -> None:
    keyed = lite.with_idempotency_key("k")
    keyed.with_manual_usage(input_tokens=5).record()
    assert keyed.with_manual_usage(input_tokens=5).record().is_new is False
    with pytest.raises(Conflict):
        keyed.with_manual_usage(input_tokens=6).record()


def test_record_many_takes_lines_in_batches(make: Make) -> None:
    meter = make(token_limit=100)
    done = meter.record_many({"input_tokens": 1, "idempotency_key": f"k{n}"} for n in range(1201))
    assert [usage.is_new for usage in done] == [True] * 1201
    assert rows(meter, "SELECT tokens, requests FROM ai_usage_counters") == [(1201, 1201)]


def test_record_many_takes_no_key_for_several_and_no_time_to_come(lite: AiMeter) -> None:
    two = [{"input_tokens": 1}, {"input_tokens": 2}]
    with pytest.raises(InvalidInput, match="usage 1: the meter's"):
        lite.with_idempotency_key("batch").record_many(two)
    with pytest.raises(InvalidInput, match="lies in the future"):
        lite.record_many([{"input_tokens": 1, "occurred_at": "2030-01-01T00:00:00Z"}])
    assert usages(lite) == 0


def test_record_many_takes_all_of_a_batch_or_nothing(lite: AiMeter) -> None:
    lite.record_many([{"input_tokens": 1000, "idempotency_key": "k"}])
    with pytest.raises(Conflict):
        lite.record_many([{"input_tokens": 5}, {"input_tokens": 9000, "idempotency_key": "k"}])
    assert usages(lite) == 1


def test_record_many_says_which_line_is_bad_and_records_none(lite: AiMeter) -> None:
    with pytest.raises(InvalidInput, match="usage 1: input_tokens"):
        lite.record_many([{"input_tokens": 1}, {"input_tokens": -1}])
    assert usages(lite) == 0


@dataclass
class Team:
    billable_type: str = "team"
    billable_id: int = 7


@dataclass
class Account:
    number: int


def of_account(value: object) -> object:
    return f"account:{value.number}" if isinstance(value, Account) else None


def tenant() -> str:
    return "acme"


@pytest.mark.parametrize(
    ("payer", "ref"),
    [("user:1", "user:1"), (("user", 1), "user:1"), (Team(), "team:7"),
     (Account(3), "account:3")],
)  # fmt: skip
def test_billables_come_as_texts_pairs_objects_or_through_the_resolver(
    make: Make, payer: object, ref: str
) -> None:
    meter = make({"billable_resolver": f"{__name__}:of_account"})
    got = meter.billable(payer).call(lambda: chat(1, 1))
    assert got.usage is not None
    assert got.usage.billable == ref


def test_what_is_no_billable_is_refused(lite: AiMeter) -> None:
    for bad in (Account(3), 42, ("a:b", 1), "user 42"):
        with pytest.raises(InvalidInput, match="is not a billable"):
            lite.billable(bad)


def test_the_user_pays_unless_a_billable_does(make: Make) -> None:
    meter = make()
    AiMeter(meter._ready()).for_user("user:9").using_provider("openai").call(lambda: chat(1, 1))
    meter.for_user(("user", 9)).billable("team:1").call(lambda: chat(1, 1))
    assert rows(
        meter,
        "SELECT b.external_id, u.user_ref, u.model FROM ai_usages u"
        " JOIN ai_billables b ON b.id = u.billable_id ORDER BY u.id",
    ) == [("9", "user:9", "gpt-4o-mini-2024-07-18"), ("1", "user:9", "gpt-4o-mini")]


def test_the_tenant_is_said_or_resolved(make: Make) -> None:
    meter = make({"tenant_resolver": f"{__name__}.tenant"})
    meter.call(lambda: chat(1, 1))
    meter.for_tenant("other").call(lambda: chat(1, 1))
    assert rows(meter, "SELECT tenant FROM ai_usages ORDER BY id") == [("acme",), ("other",)]


def test_a_resolver_that_cannot_be_loaded_names_its_setting(make: Make) -> None:
    meter = make({"tenant_resolver": "no.such:thing"})
    with pytest.raises(ConfigurationError, match=r"tenant_resolver .* cannot be loaded"):
        meter.call(lambda: chat(1, 1))


def test_nobody_and_nothing_named_is_an_error_before_the_call(make: Make) -> None:
    runtime = make()._ready()
    with pytest.raises(InvalidInput, match="nobody is billed"):
        AiMeter(runtime).using_provider("openai", "m").call(lambda: chat(1, 1))
    with pytest.raises(InvalidInput, match="no provider"):
        AiMeter(runtime).billable("user:1").call(lambda: chat(1, 1))
    with pytest.raises(InvalidInput, match="billing_mode: expected plan or credits"):
        AiMeter(runtime).billing_mode("free")  # type: ignore[arg-type]


def test_a_coroutine_is_awaited_and_metered(make: Make) -> None:
    meter = make(token_limit=100)

    async def ask() -> dict[str, Any]:
        await asyncio.sleep(0)
        return chat(10, 5)

    got = asyncio.run(meter.acall(ask))
    assert got.usage is not None
    assert (got.usage.total_tokens, got.remaining_tokens) == (15, 85)


def test_a_cancelled_coroutine_is_told_as_failed(lite: AiMeter) -> None:
    async def main() -> None:
        task = asyncio.ensure_future(lite.acall(lambda: asyncio.sleep(60)))
        while not usages(lite) and not task.done():
            await asyncio.sleep(0.05)
            task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    assert usages(lite) == 0


def test_one_meter_is_safe_to_share_between_threads(make: Make) -> None:
    meter = make(token_limit=1000)
    failed: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(5):
                meter.call(lambda: chat(1, 1))
        except Exception as error:  # noqa: BLE001 - shown by the assertion
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert rows(meter, "SELECT tokens, requests FROM ai_usage_counters") == [(60, 30)]


def test_no_transaction_is_open_while_the_provider_is_called(lite: AiMeter) -> None:
    def call() -> dict[str, Any]:
        with lite._ready().database.write() as session:  # would wait for an open one
            session.connection().execute(text("UPDATE ai_plans SET name = 'Other'"))
        return chat(1, 1)

    assert lite.call(call).usage is not None
    assert rows(lite, "SELECT name FROM ai_plans") == [("Other",)]
