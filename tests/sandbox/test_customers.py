import pytest
import stripe

from aimeter_cli.sandbox.client import SandboxControl
from tests.sandbox.http_calls import Calls


def test_a_customer_is_created_read_changed_and_deleted(client: stripe.StripeClient) -> None:
    made = client.v1.customers.create(
        {"email": "ada@example.com", "name": "Ada", "metadata": {"billable": "user:1"}}
    )
    assert made.id.startswith("cus_")
    assert client.v1.customers.retrieve(made.id).to_dict() == made.to_dict()
    changed = client.v1.customers.update(made.id, {"name": "Ada L.", "metadata": {"plan": "pro"}})
    assert (changed.name, changed.email) == ("Ada L.", "ada@example.com")
    assert changed.to_dict()["metadata"] == {"billable": "user:1", "plan": "pro"}
    gone = {"id": made.id, "object": "customer", "deleted": True}
    assert client.v1.customers.delete(made.id).to_dict() == gone
    assert client.v1.customers.retrieve(made.id).to_dict() == gone


def test_an_empty_value_unsets_a_field_and_removes_a_metadata_key(api: Calls) -> None:
    made = api.post("/v1/customers", {"name": "Ada", "metadata[a]": "1", "metadata[b]": "2"}).json
    path = f"/v1/customers/{made['id']}"
    changed = api.post(path, {"name": "", "metadata[a]": ""}).json
    assert (changed["name"], changed["metadata"]) == (None, {"b": "2"})
    assert api.post(path, {"metadata": ""}).json["metadata"] == {}


def test_the_email_filter_compares_upper_and_lower_case(client: stripe.StripeClient) -> None:
    client.v1.customers.create({"email": "ada@example.com"})
    upper = client.v1.customers.create({"email": "Ada@example.com"})
    found = client.v1.customers.list({"email": "Ada@example.com"})
    assert [customer.id for customer in found.data] == [upper.id]


def test_a_deleted_customer_is_not_listed_and_cannot_be_changed_or_charged(
    api: Calls, customer: str
) -> None:
    api.delete(f"/v1/customers/{customer}")
    assert api.get("/v1/customers").json["data"] == []
    changed = api.post(f"/v1/customers/{customer}", {"name": "x"})
    assert (changed.status, changed.error["code"]) == (404, "resource_missing")
    form = {"customer": customer, "amount": 1, "currency": "usd"}
    refused = api.post("/v1/invoiceitems", form)
    assert (refused.status, refused.error) == (
        400,
        {
            "code": "resource_missing",
            "message": f"No such customer: '{customer}'",
            "param": "customer",
            "type": "invalid_request_error",
        },
    )


def test_deleting_a_customer_ends_its_subscriptions(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create()
    subscription = client.v1.subscriptions.create(
        {"customer": customer.id, "items": [{"price": "price_pro"}]}
    )
    client.v1.customers.delete(customer.id)
    assert client.v1.subscriptions.retrieve(subscription.id).status == "canceled"


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_customer_is_a_404(api: Calls, method: str) -> None:
    reply = api.call(method, "/v1/customers/cus_none")
    assert (reply.status, reply.error["message"]) == (404, "No such customer: 'cus_none'")


def test_the_account_of_a_sandbox_never_changes(
    client: stripe.StripeClient, sandbox: SandboxControl
) -> None:
    account = client.v1.accounts.retrieve_current()
    assert account.id.startswith("acct_")
    sandbox.reset()
    assert client.v1.accounts.retrieve_current().id == account.id == sandbox.health()["account"]
