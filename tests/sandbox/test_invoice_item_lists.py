from typing import Any

import pytest
import stripe

from aimeter_cli.sandbox.client import SandboxControl
from tests.sandbox.http_calls import Calls

URL = "/v1/invoiceitems"


@pytest.fixture
def listed(api: Calls, sandbox: SandboxControl, customer: str) -> list[str]:
    """Ids of five items, oldest first, made at 0, 10, 20, 30, 40 s; the first is on a draft."""
    ids = []
    for _ in range(5):
        ids.append(api.item(customer)["id"])
        sandbox.move_clock(10)
    draft = api.post("/v1/invoices", {"customer": customer}).json["id"]
    api.post(f"/v1/invoices/{draft}/add_lines", {"lines[0][invoice_item]": ids[0]})
    other = api.post("/v1/customers").json["id"]
    api.item(other)
    return ids


@pytest.mark.parametrize(
    ("filters", "expected", "more"),
    [
        ({}, [4, 3, 2, 1, 0], False),
        ({"limit": 2}, [4, 3], True),
        ({"limit": 5}, [4, 3, 2, 1, 0], False),
        ({"limit": 2, "starting_after": 3}, [2, 1], True),
        ({"limit": 2, "starting_after": 1}, [0], False),
        ({"limit": 2, "ending_before": 0}, [2, 1], True),
        ({"limit": 4, "ending_before": 1}, [4, 3, 2], False),
        ({"pending": "true"}, [4, 3, 2, 1], False),
        ({"pending": "false"}, [0], False),
        ({"created": 2}, [2], False),
        ({"created[gt]": 2}, [4, 3], False),
        ({"created[gte]": 2, "created[lt]": 4}, [3, 2], False),
        ({"created[lte]": 0}, [0], False),
        ({"pending": "true", "created[gte]": 3, "limit": 1}, [4], True),
    ],
)
def test_a_list_is_newest_first_filtered_and_paged(
    api: Calls, customer: str, listed: list[str], filters: dict[str, Any], expected: list[int],
    more: bool,
) -> None:  # fmt: skip
    dates = [api.get(f"{URL}/{item}").json["date"] for item in listed]
    form: dict[str, Any] = {"customer": customer}
    for name, value in filters.items():
        if name in ("starting_after", "ending_before"):
            form[name] = listed[value]
        else:
            form[name] = dates[value] if name.startswith("created") else value
    found = api.get(URL, form).json
    assert [listed.index(item["id"]) for item in found["data"]] == expected
    assert (found["object"], found["has_more"], found["url"]) == ("list", more, URL)


def test_a_list_by_invoice_shows_the_items_on_it(api: Calls, listed: list[str]) -> None:
    invoice = api.get(f"{URL}/{listed[0]}").json["invoice"]
    assert [item["id"] for item in api.get(URL, {"invoice": invoice}).json["data"]] == listed[:1]


def test_deleted_items_are_not_listed(api: Calls, customer: str, listed: list[str]) -> None:
    api.delete(f"{URL}/{listed[4]}")
    assert len(api.get(URL, {"customer": customer}).json["data"]) == 4
    cursor = api.get(URL, {"customer": customer, "starting_after": listed[4]})
    assert (cursor.status, cursor.error["param"]) == (400, "starting_after")


def test_the_stripe_package_pages_through_all_items(
    client: stripe.StripeClient, customer: str, listed: list[str]
) -> None:
    pages = client.v1.invoice_items.list({"customer": customer, "limit": 2})
    assert [item.id for item in pages.auto_paging_iter()] == listed[::-1]


@pytest.mark.parametrize(
    ("form", "param"),
    [
        ({"limit": 0}, "limit"),
        ({"starting_after": "ii_1", "ending_before": "ii_2"}, None),
        ({"limit": 101}, "limit"),
        ({"customer": "cus_none"}, "customer"),
        ({"invoice": "in_none"}, "invoice"),
        ({"starting_after": "ii_none"}, "starting_after"),
        ({"pending": "yes"}, "pending"),
        ({"created[after]": "1"}, "created[after]"),
        ({"created[gte]": "x"}, "created[gte]"),
        ({"metadata[aimeter_item]": "1"}, "metadata"),
    ],
)
def test_a_wrong_filter_is_refused(
    api: Calls, sandbox: SandboxControl, form: Any, param: str | None
) -> None:
    reply = api.get(URL, form)
    assert (reply.status, reply.error.get("param")) == (400, param)
