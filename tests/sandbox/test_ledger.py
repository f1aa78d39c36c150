from aimeter_cli.sandbox.client import SandboxControl
from tests.sandbox.http_calls import Calls

URL = "/v1/invoiceitems"


def test_every_request_is_in_the_ledger(api: Calls, sandbox: SandboxControl, customer: str) -> None:
    form = [("customer", customer), ("amount", "5"), ("currency", "usd"), ("metadata[a]", "b")]
    made = api.post(URL, form, key="k1")
    api.get(URL, {"customer": customer, "limit": 1})
    api.post(f"{URL}/{made.json['id']}", {"foo": "1"}, key="k2")
    create, listed, refused = sandbox.ledger()[1:]
    assert {k: create[k] for k in create if k not in ("time", "executed_at")} == {
        "seq": create["seq"],
        "method": "POST",
        "path": URL,
        "form": [list(pair) for pair in form],
        "idempotency_key": "k1",
        "customer": customer,
        "request_id": made.headers["Request-Id"],
        "status": 200,
        "outcome": 200,
        "error": None,
        "replayed": False,
        "executed": True,
        "fault": None,
    }
    assert create["time"] <= create["executed_at"] <= listed["time"]
    assert listed["form"] == [["customer", customer], ["limit", "1"]]
    assert (refused["status"], refused["error"], refused["executed"]) == (
        400, "parameter_unknown", False,
    )  # fmt: skip
    assert refused["customer"] == customer
    assert sandbox.ledger(after=listed["seq"]) == [refused]


def test_every_change_of_an_amount_is_an_effect_of_a_request_or_a_person(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    item = api.item(customer, 100)["id"]
    api.post(f"{URL}/{item}", {"amount": 150})
    sandbox.person_change_item(item, 140)
    api.post(f"{URL}/{item}", {"description": "x"})
    api.delete(f"{URL}/{item}")
    seqs = [row["seq"] for row in sandbox.ledger()][1:]
    found = [
        (e["kind"], e["item"], e["old"], e["new"], e["request"], e["by"]) for e in sandbox.effects()
    ]
    assert found == [
        ("create", item, None, 100, seqs[0], "api"),
        ("update", item, 100, 150, seqs[1], "api"),
        ("update", item, 150, 140, None, "person"),
        ("update", item, 140, 140, seqs[2], "api"),
        ("delete", item, 140, None, seqs[3], "api"),
    ]
    assert sandbox.effects(after=sandbox.effects()[3]["n"]) == sandbox.effects()[4:]
    assert {(e["customer"], e["currency"]) for e in sandbox.effects()} == {(customer, "usd")}


def test_tests_see_all_objects(api: Calls, sandbox: SandboxControl, customer: str) -> None:
    other = api.post("/v1/customers").json["id"]
    kept, gone = (api.item(customer)["id"] for _ in range(2))
    api.item(other)
    api.delete(f"{URL}/{gone}")
    api.delete(f"/v1/customers/{other}")
    draft = api.post("/v1/invoices", {"customer": customer}).json["id"]
    assert [(c["id"], c["deleted"]) for c in sandbox.customers()] == [
        (customer, False),
        (other, True),
    ]
    assert len(sandbox.items()) == 2
    assert [item["id"] for item in sandbox.items(customer)] == [kept]
    assert [item["id"] for item in sandbox.items(customer, deleted=True)] == [kept, gone]
    assert [invoice["id"] for invoice in sandbox.invoices(customer)] == [draft]
    assert sandbox.invoices(other) == sandbox.subscriptions() == []


def test_the_clock_moves_both_ways(api: Calls, sandbox: SandboxControl) -> None:
    real = sandbox.now()
    assert 3599 < sandbox.move_clock(3600) - real < 3605
    assert api.post("/v1/customers").json["created"] - int(real) in range(3599, 3606)
    assert -1 < sandbox.move_clock(-3600) - real < 5


def test_a_reset_forgets_everything_but_account_and_settings(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    api.item(customer, key="k1")
    sandbox.move_clock(500)
    sandbox.add_fault("lost")
    sandbox.set(latency_ms=1)
    account = sandbox.health()["account"]
    sandbox.reset()
    assert sandbox.customers() == sandbox.items() == sandbox.ledger() == sandbox.effects() == []
    assert sandbox.faults() == []
    assert sandbox.health()["account"] == account
    assert sandbox.health()["offset"] == 0
    assert sandbox.settings()["latency_ms"] == 1
