"""The connection to Stripe: through the proxy of the environment, and what its answers mean."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from aimeter_cli.billing.base import Reply
from aimeter_cli.billing.stripe.connection import Connection
from aimeter_cli.billing.stripe.driver import StripeDriver
from aimeter_cli.domain.sync import Answer
from aimeter_cli.settings.table import Settings


class _Proxy(http.server.BaseHTTPRequestHandler):
    asked: list[str] = []  # noqa: RUF012 - one server, one list
    body = b'{"object": "account", "id": "acct_1"}'

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        del timestamp
        return "Tue, 01 Dec 2026 10:00:00 GMT"

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.mark.parametrize(("bypass", "reached"), [("", True), ("stripe.invalid", False)])
def test_requests_take_the_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, bypass: str, *, reached: bool
) -> None:
    _Proxy.asked = []
    with http.server.HTTPServer(("127.0.0.1", 0), _Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("NO_PROXY", bypass)
        for name in ("http_proxy", "no_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        settings = Settings(stripe_api_key="sk_test_x", stripe_api_base="http://stripe.invalid")
        connection = Connection(settings)
        _, answer = connection.call(lambda client: client.v1.accounts.retrieve_current())
        connection.close()
        server.shutdown()
    assert (not isinstance(answer, Reply)) is reached
    assert (_Proxy.asked == ["http://stripe.invalid/v1/account"]) is reached


def answering(*pages: dict[str, Any] | Reply) -> tuple[Connection, list[float]]:
    """A connection that is given these answers; and the seconds that it waited."""
    waited: list[float] = []
    connection = Connection(Settings(stripe_api_key="sk_test_x"), sleep=waited.append)
    answers = iter(pages)
    connection.call = lambda *_: (None, next(answers))  # type: ignore[method-assign]
    return connection, waited


def listed(connection: Connection, **params: Any) -> list[Any]:
    return list(connection.pages(lambda *_: None, params, "events"))


MISSING = Reply(Answer.REFUSED, reason="404 No such customer: 'cus_1'", missing=True)
PAGE = {"data": [{"id": "a"}], "has_more": True}
LAST = {"data": [{"id": "b"}], "has_more": False}
SLOWER = Reply(Answer.NOT_EXECUTED, reason="429", rate_limited=True, retry_after=2.0)


def test_a_refusal_that_names_a_customer_is_no_empty_list() -> None:
    refused = Reply(Answer.REFUSED, reason="400 Invalid types[2]: customer.subscription.resumed")
    for params in ({}, {"customer": "cus_1"}):
        [reply] = listed(answering(refused)[0], **params)
        assert reply.answer is Answer.UNREADABLE


def test_only_a_list_of_a_customer_that_does_not_exist_is_empty() -> None:
    assert listed(answering(MISSING)[0], customer="cus_1") == []
    assert listed(answering(MISSING)[0])[-1].answer is Answer.UNREADABLE
    assert listed(answering(PAGE, MISSING)[0], customer="cus_1")[-1].answer is Answer.UNREADABLE


def test_a_list_waits_as_long_as_stripe_says_and_goes_on() -> None:
    connection, waited = answering(PAGE, SLOWER, SLOWER, LAST)
    assert [each["id"] for each in listed(connection)] == ["a", "b"]
    assert waited == [2.0, 2.0]


def test_a_list_does_not_wait_for_ever() -> None:
    connection, waited = answering(*[SLOWER] * 20)
    assert listed(connection)[-1].rate_limited
    assert len(waited) == 5
    connection, waited = answering(replace(SLOWER, retry_after=60.0))
    assert (listed(connection)[-1].rate_limited, waited) == (True, [])


@contextmanager
def stripe_at(body: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Something that answers every request with this body."""
    monkeypatch.setattr(_Proxy, "body", body)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with http.server.HTTPServer(("127.0.0.1", 0), _Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Settings(
            stripe_api_key="sk_test_x", stripe_api_base=f"http://127.0.0.1:{server.server_port}"
        )
        server.shutdown()


def test_what_is_listed_is_kept_as_it_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    price = {"object": "price", "id": "price_1", "unit_amount_decimal": "0.5"}
    event = {"object": "event", "id": "evt_1", "data": {"object": price}}
    body = {"object": "list", "data": [event], "has_more": False, "url": "/v1/events"}
    with stripe_at(json.dumps(body).encode(), monkeypatch) as settings:
        driver = StripeDriver(settings)
        found = list(driver.events(["price.updated"], 0))
        driver.close()
    assert json.loads(json.dumps(found)) == [event]


def test_the_account_tells_what_time_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with stripe_at(_Proxy.body, monkeypatch) as settings:
        driver = StripeDriver(settings)
        account = driver.account()
        driver.close()
    assert account.told_at == datetime(2026, 12, 1, 10, tzinfo=UTC)
