"""Persons and the clock act around a request."""

import pytest

from aimeter_cli.sandbox.client import SandboxControl
from tests.sandbox.fault_calls import NO_ANSWER, URL, last
from tests.sandbox.http_calls import Calls


@pytest.mark.parametrize(("when", "amount", "status"), [("before", 100, 400), ("after", 150, 200)])
def test_a_person_finalises_invoices_around_a_request(
    api: Calls, sandbox: SandboxControl, customer: str, when: str, amount: int, status: int
) -> None:
    item = api.item(customer, 100)["id"]
    sandbox.add_fault(f"finalize:when={when},path={URL}/*,nth=1,method=POST")
    reply = api.post(f"{URL}/{item}", {"amount": 150})
    assert reply.status == status
    (invoice,) = sandbox.invoices()
    assert (invoice["status"], invoice["total"]) == ("open", amount)
    assert last(sandbox)["fault"] == "finalize"


@pytest.mark.parametrize(("when", "status"), [("before", 404), ("after", 200)])
def test_a_person_deletes_an_item_around_a_request(
    api: Calls, sandbox: SandboxControl, customer: str, when: str, status: int
) -> None:
    item = api.item(customer, 100)["id"]
    sandbox.add_fault(f"delete_item:when={when},method=POST,nth=1")
    assert api.post(f"{URL}/{item}", {"amount": 150}).status == status
    assert sandbox.items() == []
    effect = sandbox.effects()[-1]
    assert (effect["kind"], effect["by"], effect["new"]) == ("delete", "person", None)


@pytest.mark.parametrize(
    ("options", "amounts"),
    [
        ("", [100, 101, 150]),
        ("when=after,add=-20", [100, 150, 130]),
        ("amount=7", [100, 7, 150]),
    ],
)
def test_a_person_changes_an_amount_around_a_request(
    api: Calls, sandbox: SandboxControl, customer: str, options: str, amounts: list[int]
) -> None:
    item = api.item(customer, 100, metadata={"aimeter_version": "1"})["id"]
    sandbox.add_fault(f"change_item:nth=1,{options}")
    api.post(f"{URL}/{item}", {"amount": 150, "metadata[aimeter_version]": "2"})
    assert [effect["new"] for effect in sandbox.effects()] == amounts
    changed = api.get(f"{URL}/{item}").json
    assert (changed["amount"], changed["metadata"]) == (amounts[-1], {"aimeter_version": "2"})


def test_a_person_without_anything_to_do_does_nothing(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    for kind in ("finalize", "delete_item", "change_item"):
        sandbox.add_fault(kind)
    assert api.get(f"/v1/customers/{customer}").status == 200
    assert api.get(f"{URL}/ii_none").status == 404
    assert api.get("/v1/account").status == 200
    assert sandbox.effects() == []


def test_the_clock_jumps_around_a_request(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    sandbox.add_fault("clock:seconds=1000,nth=1")
    sandbox.add_fault("clock:seconds=-400,nth=2,when=after")
    dates = [api.item(customer)["date"] for _ in range(3)]
    assert 999 <= dates[0] - sandbox.ledger()[0]["time"] <= 1002
    assert 0 <= dates[1] - dates[0] <= 1
    assert -401 <= dates[2] - dates[1] <= -399


def test_a_person_and_another_fault_can_strike_the_same_request(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    item = api.item(customer, 100)["id"]
    sandbox.add_fault("finalize:when=after,method=POST")
    sandbox.add_fault("lost:method=POST")
    with pytest.raises(NO_ANSWER):
        api.post(f"{URL}/{item}", {"amount": 150})
    assert last(sandbox)["fault"] == "finalize,lost"
    assert [invoice["total"] for invoice in sandbox.invoices()] == [150]
