import pytest

from aimeter_cli.sandbox.client import SandboxControl
from tests.sandbox.http_calls import Calls

URL = "/v1/invoiceitems"


def test_a_person_finalises_pending_items_and_drafts(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    form = {"customer": customer, "items[0][price]": "price_a"}
    subscription = api.post("/v1/subscriptions", form).json["id"]
    api.item(customer, 1)
    draft = sandbox.person_draft(customer)
    api.item(customer, 2)
    api.item(customer, 3, subscription=subscription)
    done = sandbox.person_finalize(customer)
    assert done[0] == draft[0]
    assert [(i["id"], i["status"], i["total"]) for i in sandbox.invoices()] == [
        (done[0], "open", 1),
        (done[1], "open", 2),
        (done[2], "open", 3),
    ]
    assert sandbox.person_finalize(customer) == []


def test_a_person_cannot_change_what_is_invoiced(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    item = api.item(customer, 100)["id"]
    sandbox.person_change_item(item, 90)
    sandbox.person_finalize(customer)
    with pytest.raises(ValueError, match="no longer editable"):
        sandbox.person_change_item(item, 80)
    with pytest.raises(ValueError, match="no longer editable"):
        sandbox.person_delete_item(item)
    assert api.get(f"{URL}/{item}").json["amount"] == 90


def test_a_deleted_item_is_gone(api: Calls, sandbox: SandboxControl, customer: str) -> None:
    item = api.item(customer)["id"]
    sandbox.person_delete_item(item)
    assert api.get(f"{URL}/{item}").status == 404
    with pytest.raises(ValueError, match="No such invoiceitem"):
        sandbox.person_delete_item(item)


@pytest.mark.parametrize(
    ("method", "name", "problem"),
    [
        ("GET", "nothing", "no such control endpoint: GET nothing"),
        ("POST", "person/finalize", "KeyError: 'customer'"),
        ("POST", "clock", "KeyError: 'move'"),
    ],
)
def test_a_wrong_order_is_refused(
    sandbox: SandboxControl, api: Calls, method: str, name: str, problem: str
) -> None:
    reply = api.call(method, f"/_sandbox/{name}", "{}")
    assert reply.json == {"error": problem}
