"""Whatever is done to items, the ledger's effects add up to what the items say."""

from http.client import HTTPException

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimeter_cli.sandbox.client import SandboxControl
from tests.sandbox.http_calls import Calls

FAULTS = ("", "lost", "reset", "500_before", "500_after", "lock_timeout", "truncate")

STEPS = st.lists(
    st.tuples(
        st.sampled_from(("create", "update", "delete", "change", "collect", "finalize")),
        st.integers(0, 3),
        st.integers(-500, 500),
        st.sampled_from(FAULTS),
    ),
    max_size=12,
)


def step(
    api: Calls, sandbox: SandboxControl, customer: str, what: str, index: int, amount: int
) -> None:
    items = sandbox.items(deleted=True)
    item = items[index % len(items)]["id"] if items else "ii_none"
    path = f"/v1/invoiceitems/{item}"
    try:
        if what == "create":
            api.item(customer, amount, key=f"key{index}")
        elif what == "update":
            api.post(path, {"amount": amount})
        elif what == "delete":
            api.delete(path)
        elif what == "change":
            sandbox.person_change_item(item, amount)
        elif what == "collect":
            form = {"customer": customer, "pending_invoice_items_behavior": "include"}
            api.post("/v1/invoices", form)
        else:
            sandbox.person_finalize(customer)
    except (OSError, ValueError, HTTPException):
        return


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(STEPS)
def test_effects_add_up_to_the_items_and_closed_invoices_never_change(
    sandbox: SandboxControl, steps: list[tuple[str, int, int, str]]
) -> None:
    sandbox.reset()
    api = Calls(sandbox.url)
    customer = str(api.post("/v1/customers").json["id"])
    totals: dict[str, int] = {}
    for what, index, amount, fault in steps:
        if fault:
            sandbox.add_fault(fault, method="POST", times=1)
        step(api, sandbox, customer, what, index, amount)
        sandbox.clear_faults()
        for invoice in sandbox.invoices():
            if invoice["status"] != "draft":
                assert totals.setdefault(invoice["id"], invoice["total"]) == invoice["total"]
    known: dict[str, int | None] = {}
    for effect in sandbox.effects():
        assert known.get(effect["item"]) == effect["old"]
        known[effect["item"]] = effect["new"]
    alive = {item: amount for item, amount in known.items() if amount is not None}
    assert alive == {item["id"]: item["amount"] for item in sandbox.items()}
    executed = {row["seq"] for row in sandbox.ledger() if row["executed"]}
    assert {e["request"] for e in sandbox.effects() if e["by"] == "api"} <= executed
