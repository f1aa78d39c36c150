"""Webhook endpoints, and what they are sent."""

from collections.abc import Iterator

import pytest
import stripe

from aimeter_cli.sandbox.client import SandboxControl
from tests.sandbox.http_calls import Calls
from tests.sandbox.receiver import Receiver, receiving

URL = "/v1/webhook_endpoints"


@pytest.fixture
def receiver(sandbox: SandboxControl) -> Iterator[Receiver]:
    sandbox.set(deliveries="by_hand")
    with receiving() as made:
        yield made


def register(api: Calls, receiver: Receiver, *kinds: str, **more: str) -> dict[str, str]:
    form = [("url", receiver.url), *more.items(), *(("enabled_events[]", kind) for kind in kinds)]
    made: dict[str, str] = api.post(URL, form).json
    return made


def undelivered(api: Calls) -> list[str]:
    return [e["type"] for e in api.get("/v1/events", {"delivery_success": "false"}).json["data"]]


def test_the_secret_is_told_once(api: Calls, receiver: Receiver) -> None:
    made = register(api, receiver, "invoice.paid", description="x")
    assert made.pop("secret").startswith("whsec_")
    assert api.get(f"{URL}/{made['id']}").json == made
    assert api.get(URL).json["data"] == [made]


def test_an_endpoint_can_be_changed_and_removed(api: Calls, receiver: Receiver) -> None:
    made = register(api, receiver, "*")["id"]
    changed = api.post(f"{URL}/{made}", {"disabled": "true", "enabled_events[0]": "invoice.paid"})
    assert (changed.json["status"], changed.json["enabled_events"]) == (
        "disabled", ["invoice.paid"],
    )  # fmt: skip
    assert api.delete(f"{URL}/{made}").json["deleted"] is True
    assert (api.get(f"{URL}/{made}").status, api.get(URL).json["data"]) == (404, [])


@pytest.mark.parametrize(
    ("form", "param"),
    [
        ({"url": "http://x"}, "enabled_events"),
        ({"enabled_events[0]": "*"}, "url"),
        ({"url": "ftp://x", "enabled_events[0]": "*"}, "url"),
        ({"url": "http://x", "enabled_events[0]": "Paid!"}, "enabled_events[0]"),
        ({"url": "http://x", "enabled_events[0]": "*", "api_version": "new"}, "api_version"),
        ({"url": "http://x", "enabled_events[0]": "*", "secret": "s"}, "secret"),
    ],
)
def test_a_wrong_endpoint_is_refused(api: Calls, form: dict[str, str], param: str) -> None:
    reply = api.post(URL, form)
    assert (reply.status, reply.error["param"]) == (400, param)


def test_a_delivery_is_signed_as_stripe_signs(
    api: Calls, sandbox: SandboxControl, receiver: Receiver
) -> None:
    secret = register(api, receiver, "customer.created")["secret"]
    api.post("/v1/customers", {"name": "Ada"})
    (told,) = sandbox.deliver()
    assert (told["type"], told["status"], told["url"]) == ("customer.created", 200, receiver.url)
    ((signature, body),) = receiver.taken
    event = stripe.Webhook.construct_event(body, signature, secret)
    assert (event.id, event.pending_webhooks) == (told["event"], 1)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body + b" ", signature, secret)


def test_only_types_that_the_endpoint_wants_are_sent(
    api: Calls, sandbox: SandboxControl, receiver: Receiver
) -> None:
    register(api, receiver, "customer.updated", "customer.deleted")
    customer = api.post("/v1/customers").json["id"]
    api.post(f"/v1/customers/{customer}", {"name": "Ada"})
    api.delete(f"/v1/customers/{customer}")
    sandbox.deliver()
    assert receiver.types == ["customer.updated", "customer.deleted"]
    assert sandbox.deliver() == []


def test_what_no_endpoint_has_taken_is_undelivered_and_sent_again(
    api: Calls, sandbox: SandboxControl, receiver: Receiver
) -> None:
    register(api, receiver, "*")
    api.post("/v1/customers")
    assert undelivered(api) == ["customer.created"]
    receiver.status = 500
    assert [each["status"] for each in sandbox.deliver()] == [500]
    assert undelivered(api) == ["customer.created"]
    (event,) = sandbox.events()
    assert event["pending_webhooks"] == 1
    receiver.status = 204
    assert [each["status"] for each in sandbox.deliver()] == [204]
    assert undelivered(api) == []
    assert receiver.types == ["customer.created"] * 2


def test_an_endpoint_that_nobody_serves_leaves_events_undelivered(
    api: Calls, sandbox: SandboxControl, receiver: Receiver
) -> None:
    receiver.url = "http://127.0.0.1:9/"
    register(api, receiver, "*")
    api.post("/v1/customers")
    assert [each["status"] for each in sandbox.deliver()] == [None]
    assert undelivered(api) == ["customer.created"]


def test_copies_and_another_order_on_request(
    api: Calls, sandbox: SandboxControl, receiver: Receiver
) -> None:
    register(api, receiver, "*")
    made = [api.post("/v1/customers").json["id"] for _ in range(12)]
    sandbox.set(delivery_order="shuffled", delivery_copies=2)
    sandbox.deliver()
    sent = [event["data"]["object"]["id"] for event in receiver.events]
    assert sorted(sent) == sorted(made * 2)
    assert list(dict.fromkeys(sent)) != made


def test_each_endpoint_gets_the_shape_of_its_version(
    api: Calls, sandbox: SandboxControl, receiver: Receiver
) -> None:
    customer = api.post("/v1/customers").json["id"]
    register(api, receiver, "customer.subscription.created")
    register(api, receiver, "customer.subscription.created", api_version="2022-11-15")
    api.post("/v1/subscriptions", {"customer": customer, "items[0][price]": "price_a"})
    sandbox.deliver()
    new, old = receiver.events
    assert (new["id"], old["api_version"]) == (old["id"], "2022-11-15")
    assert "current_period_end" not in new["data"]["object"]
    assert (
        old["data"]["object"]["current_period_end"]
        == (new["data"]["object"]["items"]["data"][0]["current_period_end"])
    )


def test_webhooks_go_out_by_themselves_unless_by_hand(
    api: Calls, sandbox: SandboxControl, receiver: Receiver
) -> None:
    register(api, receiver, "*")
    sandbox.set(deliveries="at_once")
    api.post("/v1/customers")
    assert sandbox.wait_for_deliveries() == 0
    assert receiver.types == ["customer.created"]


def test_a_disabled_endpoint_is_sent_nothing(
    api: Calls, sandbox: SandboxControl, receiver: Receiver
) -> None:
    made = register(api, receiver, "*")["id"]
    api.post("/v1/customers")
    api.post(f"{URL}/{made}", {"disabled": "true"})
    api.post("/v1/customers")
    assert (sandbox.deliver(), len(undelivered(api))) == ([], 1)
    api.post(f"{URL}/{made}", {"disabled": "false"})
    sandbox.deliver()
    assert receiver.types == ["customer.created"]
