from typing import Any

import pytest
import stripe

from aimeter_cli.sandbox.client import SandboxControl
from tests.sandbox.http_calls import Calls

URL = "/v1/invoices"


def collect(api: Calls, customer: str, **form: Any) -> dict[str, Any]:
    return api.post(
        URL, {"customer": customer, "pending_invoice_items_behavior": "include", **form}
    ).json


def items_on(api: Calls, invoice: str) -> list[str]:
    lines = api.get(f"{URL}/{invoice}/lines", {"limit": 100}).json["data"]
    return [line["parent"]["invoice_item_details"]["invoice_item"] for line in lines]


def test_pending_items_are_collected_only_when_asked(
    client: stripe.StripeClient, api: Calls, customer: str
) -> None:
    item = api.item(customer, 150)
    empty = client.v1.invoices.create({"customer": customer})
    assert (empty.status, empty.total, empty.lines.data) == ("draft", 0, [])
    full = client.v1.invoices.create(
        {"customer": customer, "pending_invoice_items_behavior": "include", "auto_advance": False}
    )
    assert (full.total, full.amount_due, full.amount_paid, full.currency) == (150, 150, 0, "usd")
    assert [line.amount for line in full.lines.data] == [150]
    attached = client.v1.invoice_items.retrieve(item["id"])
    assert attached.invoice == full.id


def test_a_draft_follows_its_items_until_it_is_finalised(api: Calls, customer: str) -> None:
    item = api.item(customer, 100)
    invoice = collect(api, customer)["id"]
    api.post(f"/v1/invoiceitems/{item['id']}", {"amount": 130})
    assert api.get(f"{URL}/{invoice}").json["total"] == 130
    api.item(customer, 20, invoice=invoice)
    done = api.post(f"{URL}/{invoice}/finalize").json
    assert (done["status"], done["total"], done["amount_remaining"]) == ("open", 150, 150)
    assert done["number"].endswith("-0001")
    assert done["status_transitions"]["finalized_at"] is not None


def test_an_item_taken_off_by_deletion_leaves_its_draft(api: Calls, customer: str) -> None:
    item = api.item(customer)
    invoice = collect(api, customer)["id"]
    api.delete(f"/v1/invoiceitems/{item['id']}")
    assert api.get(f"{URL}/{invoice}").json["total"] == 0


@pytest.mark.parametrize(
    ("moves", "status", "last"),
    [
        (["finalize"], "open", 200),
        (["finalize", "pay"], "paid", 200),
        (["pay"], "paid", 200),
        (["finalize", "void"], "void", 200),
        (["finalize", "mark_uncollectible"], "uncollectible", 200),
        (["finalize", "mark_uncollectible", "void"], "void", 200),
        (["finalize", "mark_uncollectible", "pay"], "paid", 200),
        (["void"], "draft", 400),
        (["mark_uncollectible"], "draft", 400),
        (["finalize", "finalize"], "open", 400),
        (["pay", "pay"], "paid", 400),
        (["pay", "void"], "paid", 400),
        (["finalize", "void", "pay"], "void", 400),
        (["pay", "mark_uncollectible"], "paid", 400),
    ],
)
def test_an_invoice_moves_as_stripe_lets_it(
    api: Calls, customer: str, moves: list[str], status: str, last: int
) -> None:
    api.item(customer)
    invoice = collect(api, customer)["id"]
    replies = [api.post(f"{URL}/{invoice}/{move}").status for move in moves]
    assert replies == [200] * (len(moves) - 1) + [last]
    assert api.get(f"{URL}/{invoice}").json["status"] == status


def test_a_paid_invoice_says_how_much_was_paid(client: stripe.StripeClient, customer: str) -> None:
    client.v1.invoice_items.create({"customer": customer, "amount": 70, "currency": "usd"})
    made = client.v1.invoices.create(
        {"customer": customer, "pending_invoice_items_behavior": "include"}
    )
    client.v1.invoices.finalize_invoice(made.id)
    paid = client.v1.invoices.pay(made.id, {"paid_out_of_band": True})
    assert (paid.status, paid.amount_paid, paid.amount_remaining) == ("paid", 70, 0)
    assert paid.to_dict()["amount_paid_off_stripe"] == 70


def test_what_is_below_zero_is_credited_to_the_next_invoice(api: Calls, customer: str) -> None:
    api.item(customer, -30)
    first = api.post(f"{URL}/{collect(api, customer)['id']}/finalize").json
    assert (first["status"], first["total"], first["amount_due"]) == ("paid", -30, 0)
    assert first["ending_balance"] == -30
    api.item(customer, 100)
    second = api.post(f"{URL}/{collect(api, customer)['id']}/finalize").json
    assert (second["status"], second["total"], second["amount_due"]) == ("open", 100, 70)
    assert api.get(f"/v1/customers/{customer}").json["balance"] == 0


@pytest.mark.parametrize("subscribed", [False, True])
def test_nothing_to_invoice_is_refused(api: Calls, customer: str, subscribed: bool) -> None:
    form = {"customer": customer, "pending_invoice_items_behavior": "include"}
    whom = "customer"
    if subscribed:
        whom = "subscription"
        made = api.post("/v1/subscriptions", {"customer": customer, "items[0][price]": "price_a"})
        form["subscription"] = made.json["id"]
    reply = api.post(URL, form)
    assert (reply.status, reply.error["code"]) == (400, f"invoice_no_{whom}_line_items")


def test_an_invoice_takes_the_items_of_its_subscription_and_those_without_one(
    api: Calls, customer: str
) -> None:
    form = {"customer": customer, "items[0][price]": "price_pro"}
    mine, other = (api.post("/v1/subscriptions", form).json["id"] for _ in range(2))
    free = api.item(customer)["id"]
    of_mine = api.item(customer, subscription=mine)["id"]
    of_other = api.item(customer, subscription=other)["id"]
    invoice = collect(api, customer, subscription=mine)
    assert items_on(api, invoice["id"]) == [of_mine, free]
    assert invoice["parent"]["subscription_details"]["subscription"] == mine
    later = api.item(customer)["id"]
    assert items_on(api, collect(api, customer)["id"]) == [later]
    found = api.get(URL, {"subscription": mine}).json["data"]
    assert [entry["id"] for entry in found] == [invoice["id"]]
    pending = api.get("/v1/invoiceitems", {"customer": customer, "pending": "true"}).json["data"]
    assert [item["id"] for item in pending] == [of_other]


def test_an_invoice_holds_250_items_and_the_rest_rolls_over(
    api: Calls, sandbox: SandboxControl, customer: str
) -> None:
    ids = [api.item(customer, 1)["id"] for _ in range(255)]
    first = collect(api, customer)
    assert first["total"] == 250
    assert (len(first["lines"]["data"]), first["lines"]["has_more"]) == (10, True)
    full = api.post("/v1/invoiceitems", {"customer": customer, "amount": 1, "invoice": first["id"]})
    assert full.status == 400
    second = collect(api, customer)
    assert items_on(api, second["id"]) == ids[:-6:-1]


def test_lines_are_listed_in_the_order_of_the_invoice_and_paged(
    client: stripe.StripeClient, api: Calls, customer: str
) -> None:
    for amount in (1, 2, 3):
        api.item(customer, amount)
    invoice = collect(api, customer)["id"]
    api.item(customer, 4, invoice=invoice)
    pages = client.v1.invoices.line_items.list(invoice, {"limit": 2})
    assert [line.amount for line in pages.auto_paging_iter()] == [3, 2, 1, 4]


def test_lines_are_added_to_a_draft_from_pending_items(
    client: stripe.StripeClient, api: Calls, customer: str
) -> None:
    first, second, left = (api.item(customer, n)["id"] for n in (1, 2, 3))
    draft = client.v1.invoices.create({"customer": customer})
    done = client.v1.invoices.add_lines(
        draft.id, {"lines": [{"invoice_item": first}, {"invoice_item": second}]}
    )
    assert (done.total, items_on(api, draft.id)) == (3, [first, second])
    assert client.v1.invoice_items.retrieve(left).invoice is None


@pytest.mark.parametrize("wrong", ["unknown", "attached", "foreign", "deleted", "twice", "closed"])
def test_lines_that_cannot_be_added_are_refused_and_none_is(
    api: Calls, customer: str, wrong: str
) -> None:
    good, bad = (api.item(customer)["id"] for _ in range(2))
    draft = api.post(URL, {"customer": customer}).json["id"]
    if wrong == "unknown":
        bad = "ii_none"
    elif wrong == "attached":
        api.post(f"{URL}/{draft}/add_lines", {"lines[0][invoice_item]": bad})
        draft = api.post(URL, {"customer": customer}).json["id"]
    elif wrong == "foreign":
        bad = api.item(api.post("/v1/customers").json["id"])["id"]
    elif wrong == "deleted":
        api.delete(f"/v1/invoiceitems/{bad}")
    elif wrong == "twice":
        bad = good
    else:
        api.post(f"{URL}/{draft}/finalize")
    form = [("lines[][invoice_item]", good), ("lines[][invoice_item]", bad)]
    assert api.post(f"{URL}/{draft}/add_lines", form).status == 400
    assert api.get(f"/v1/invoiceitems/{good}").json["invoice"] is None


def test_a_deleted_draft_gives_its_items_back(api: Calls, customer: str) -> None:
    item = api.item(customer)["id"]
    draft = collect(api, customer)["id"]
    gone = {"id": draft, "object": "invoice", "deleted": True}
    assert api.delete(f"{URL}/{draft}").json == gone
    assert api.get(f"{URL}/{draft}").status == 404
    assert api.get(f"/v1/invoiceitems/{item}").json["invoice"] is None
    invoice = collect(api, customer)["id"]
    api.post(f"{URL}/{invoice}/finalize")
    assert api.delete(f"{URL}/{invoice}").status == 400


def test_a_closed_invoice_takes_metadata_and_nothing_else(api: Calls, customer: str) -> None:
    draft = api.post(URL, {"customer": customer, "metadata[a]": "1"}).json["id"]
    assert api.post(f"{URL}/{draft}", {"description": "May"}).json["description"] == "May"
    api.post(f"{URL}/{draft}/finalize")
    changed = api.post(f"{URL}/{draft}", {"metadata[b]": "2"}).json
    assert changed["metadata"] == {"a": "1", "b": "2"}
    refused = api.post(f"{URL}/{draft}", {"description": "June"})
    assert refused.error["code"] == "invoice_not_editable"


def test_an_invoice_that_is_sent_has_a_due_date(api: Calls, customer: str) -> None:
    form = {"customer": customer, "collection_method": "send_invoice", "days_until_due": "30"}
    invoice = api.post(URL, form).json
    assert invoice["collection_method"] == "send_invoice"
    assert invoice["due_date"] == invoice["created"] + 30 * 86_400


def test_invoices_are_listed_by_customer_and_status(api: Calls, customer: str) -> None:
    drafts = [api.post(URL, {"customer": customer}).json["id"] for _ in range(3)]
    api.post(f"{URL}/{drafts[1]}/finalize")
    api.post(URL, {"customer": api.post("/v1/customers").json["id"]})

    def listed(**form: str) -> list[str]:
        data = api.get(URL, {"customer": customer, **form}).json["data"]
        return [invoice["id"] for invoice in data]

    assert listed() == drafts[::-1]
    assert listed(status="draft") == [drafts[2], drafts[0]]
    assert listed(status="paid") == [drafts[1]]  # nothing was due
    assert listed(status="open") == []


def test_ids_are_expanded_on_demand(client: stripe.StripeClient, api: Calls, customer: str) -> None:
    item = api.item(customer)["id"]
    invoice = collect(api, customer)["id"]
    found = client.v1.invoice_items.retrieve(item, {"expand": ["invoice.customer"]}).to_dict()
    assert found["invoice"]["id"] == invoice
    assert found["invoice"]["customer"]["id"] == customer
    listed = api.get("/v1/invoiceitems", {"expand[]": "data.customer"}).json
    assert listed["data"][0]["customer"]["object"] == "customer"
    assert api.get(f"/v1/invoices/{invoice}", {"expand[]": "lines.data"}).status == 400
    for wrong in ("amount", "colour", "object", "invoice.colour", "parent.subscription.x"):
        refused = api.get(f"/v1/invoiceitems/{item}", {"expand[]": wrong})
        if wrong.startswith("parent"):
            assert refused.status == 200  # nothing there to expand
        else:
            message = f"This property cannot be expanded ({wrong})."
            assert refused.error["message"] == message
