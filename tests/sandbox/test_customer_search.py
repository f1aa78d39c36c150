import pytest

from aimeter_cli.sandbox.client import SandboxControl
from tests.sandbox.http_calls import Calls

URL = "/v1/customers/search"


@pytest.fixture
def three(api: Calls) -> dict[str, str]:
    """Ids by name."""
    people = {
        "Ada": {"email": "ada@example.com", "metadata[aimeter_billable]": "user:42"},
        "Bea": {"email": "bea@example.com", "metadata[aimeter_billable]": 'say "hi"'},
        "Cy": {"metadata[o'key]": "x"},
    }
    return {api.post("/v1/customers", {"name": name, **form}).json["id"]: name
            for name, form in people.items()}  # fmt: skip


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ('metadata["aimeter_billable"]:"user:42"', "Ada"),
        ("metadata['aimeter_billable']:'user:42'", "Ada"),
        (r'metadata["aimeter_billable"]:"say \"hi\""', "Bea"),
        (r"""metadata["o'key"]:"x" """, "Cy"),
        ('email:"ADA@example.com"', "Ada"),
        ('email~"example.com"', "Bea Ada"),
        ('email~"example.com" AND -name:"Ada"', "Bea"),
        ('email~"example.com" -name:"Ada"', "Bea"),
        ('name:"Ada" OR name:"Cy"', "Cy Ada"),
        ("email:null", "Cy"),
        ('-email:"ada@example.com"', "Cy Bea"),
        ('metadata["aimeter_billable"]:"user"', ""),
    ],
)
def test_a_query_finds_whom_it_means(
    api: Calls, three: dict[str, str], query: str, found: str
) -> None:
    reply = api.get(URL, {"query": query})
    assert [three[each["id"]] for each in reply.json["data"]] == found.split()
    assert (reply.json["has_more"], reply.json["next_page"]) == (False, None)


def test_pages_follow_one_another(api: Calls, three: dict[str, str]) -> None:
    query = {"query": '-name:"x"', "limit": "2"}
    first = api.get(URL, query).json
    second = api.get(URL, {**query, "page": first["next_page"]}).json
    assert [three[each["id"]] for each in first["data"] + second["data"]] == ["Cy", "Bea", "Ada"]
    assert (first["has_more"], second["has_more"]) == (True, False)


@pytest.mark.parametrize(
    "query",
    ["", "Ada", 'shoe:"x"', 'metadata:"x"', 'name:"a" AND name:"b" OR name:"c"', 'name:"a'],
)
def test_a_wrong_query_is_refused(api: Calls, query: str) -> None:
    reply = api.get(URL, {"query": query})
    assert (reply.status, reply.error["param"]) == (400, "query")


def test_a_deleted_customer_is_not_found(
    api: Calls, sandbox: SandboxControl, three: dict[str, str]
) -> None:
    for customer in three:
        api.delete(f"/v1/customers/{customer}")
    assert api.get(URL, {"query": 'name:"Ada"'}).json["data"] == []
    assert [row["customer"] for row in sandbox.ledger() if row["path"] == URL] == [None]
