"""Requests that execute later than their client knows, and connections that are refused."""

from time import monotonic

import pytest
import stripe

from aimeter_cli.sandbox.client import SandboxControl
from tests.sandbox.fault_calls import NO_ANSWER, URL, send, wait_until_open
from tests.sandbox.http_calls import Calls


def test_behind_a_gateways_502_the_request_goes_on_with_its_key_in_flight(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    sandbox.add_fault("502_late:delay=0.25,nth=1,method=POST")
    reply = send(api, customer)
    assert reply is not None
    assert reply.status == 502
    assert sandbox.items() == []
    in_flight = send(api, customer)
    assert in_flight is not None
    assert (in_flight.status, in_flight.error["code"]) == (409, "idempotency_key_in_use")
    sandbox.wait_until_settled()
    replay = send(api, customer)
    assert replay is not None
    assert (replay.status, replay.headers["Idempotent-Replayed"]) == (200, "true")
    late = sandbox.ledger()[1]
    assert (late["status"], late["outcome"], late["executed"]) == (502, 200, True)
    assert late["executed_at"] >= late["time"] + 0.25
    assert [effect["request"] for effect in sandbox.effects()] == [late["seq"]]


def test_a_gateway_that_gives_up_on_a_key_in_flight_executes_it_once(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    sandbox.add_fault("502_late:delay=0.2,method=POST")
    replies = [send(api, customer) for _ in range(2)]
    assert [reply.status for reply in replies if reply] == [502, 409]
    sandbox.wait_until_settled()
    assert len(sandbox.items()) == 1


@pytest.mark.parametrize("answer", ["reset", "timeout"])
def test_a_request_held_up_on_the_way_executes_after_later_ones(
    api: Calls, sandbox: SandboxControl, customer: str, answer: str
) -> None:
    item = api.item(customer, 100)["id"]
    sandbox.add_fault(f"held:delay=0.3,answer={answer},seconds=0.05,method=POST,nth=1")
    with pytest.raises(NO_ANSWER):
        api.post(f"{URL}/{item}", {"amount": 150}, key="v2")
    assert sandbox.health()["held"] == 1
    api.post(f"{URL}/{item}", {"amount": 175}, key="v3")
    sandbox.wait_until_settled()
    assert [(e["old"], e["new"]) for e in sandbox.effects()][1:] == [(100, 175), (175, 150)]
    held, later = sandbox.ledger()[-2:]
    assert held["executed_at"] > later["executed_at"]
    assert (held["status"], held["outcome"]) == (None, 200)


def test_a_request_held_up_finds_its_key_spent_by_a_retry(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    sandbox.add_fault("held:delay=0.25,method=POST,nth=1")
    assert send(api, customer) is None
    retry = send(api, customer)
    assert retry is not None
    assert retry.status == 200
    sandbox.wait_until_settled()
    held = sandbox.ledger()[1]
    assert (held["executed"], held["replayed"]) == (False, True)
    assert len(sandbox.items()) == 1


def test_connections_are_refused_for_as_long_as_it_says(
    client: stripe.StripeClient, sandbox: SandboxControl, api: Calls, customer: str
) -> None:
    client.v1.customers.list()  # leaves an idle connection
    sandbox.add_fault("refuse:for=0.25,method=POST,nth=1")
    assert send(api, customer) is None
    start = monotonic()
    with pytest.raises(ConnectionRefusedError):
        api.get("/v1/account")
    with pytest.raises(stripe.APIConnectionError) as caught:
        client.v1.customers.list()
    assert "NewConnectionError" in repr(caught.value.__cause__)
    wait_until_open(sandbox)
    assert monotonic() - start > 0.1
    assert api.get("/v1/account").status == 200
    assert sandbox.items() == []
    refused = [row for row in sandbox.ledger() if row["fault"]]
    assert [(row["fault"], row["executed"]) for row in refused] == [("refuse", False)]


def test_an_outage_can_be_ordered_at_once(api: Calls, sandbox: SandboxControl) -> None:
    sandbox.outage(0.2)
    with pytest.raises(ConnectionRefusedError):
        api.get("/v1/account")
    wait_until_open(sandbox)
    assert api.get("/v1/account").status == 200
