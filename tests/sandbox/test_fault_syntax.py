import pytest

from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.sandbox.faults import KINDS, Fault, parse
from tests.sandbox.http_calls import Calls


@pytest.mark.parametrize(
    ("text", "kind", "options"),
    [
        ("reset", "reset", {}),
        ("lost:path=/v1/invoiceitems,method=POST,nth=3", "lost",
         {"path": "/v1/invoiceitems", "method": "POST", "nth": "3"}),
        ("502_late:p=0.1,seed=7,delay=0.4", "502_late", {"p": "0.1", "seed": "7", "delay": "0.4"}),
        (" 429 : retry_after = 2 ,", "429", {"retry_after": "2"}),
    ],
)  # fmt: skip
def test_a_fault_is_a_kind_with_options(text: str, kind: str, options: dict[str, str]) -> None:
    fault = parse(text)
    assert fault == Fault(kind, options)
    assert parse(str(fault)) == fault


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("explode", "unknown fault 'explode'; there are reset, refuse"),
        ("lost:nth", "'nth' is not OPTION=VALUE"),
        ("lost:when=now", "when=now: unknown option; there are path"),
        ("slow:when=now", "when=now: must be one of before, after"),
        ("lost:nth=0", "nth=0: not a number that makes sense"),
        ("lost:p=often", "p=often: not a number that makes sense"),
        ("lost:nth=1,p=0.5", "give one of nth, every and p"),
    ],
)
def test_a_wrong_fault_is_refused_in_words(
    sandbox: SandboxControl, text: str, problem: str
) -> None:
    with pytest.raises(ValueError, match=r".*") as caught:
        parse(text)
    assert problem in str(caught.value)
    with pytest.raises(ValueError, match=r".*") as refused:
        sandbox.add_fault(text)
    assert problem in str(refused.value)
    assert sandbox.faults() == []


def struck(fault: Fault, requests: int) -> list[int]:
    """Which of so many matching requests it strikes, from 1."""
    hits: list[int] = []
    for seen in range(1, requests + 1):
        if fault.strikes(seen, len(hits)):
            hits.append(seen)
    return hits


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", [1, 2, 3, 4, 5, 6]),
        ("nth=3", [3]),
        ("every=2", [2, 4, 6]),
        ("every=2,times=2", [2, 4]),
        ("times=2", [1, 2]),
        ("p=0", []),
        ("p=1,times=1", [1]),
    ],
)
def test_which_matching_requests_are_struck(options: str, expected: list[int]) -> None:
    assert struck(parse(f"lost:{options}"), 6) == expected


def test_a_probability_draws_the_same_for_the_same_seed() -> None:
    draws = [struck(parse(f"lost:p=0.3,seed={seed}"), 1000) for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]
    assert 250 < len(draws[0]) < 350


@pytest.mark.parametrize(
    ("options", "method", "path", "customer", "matches"),
    [
        ("", "GET", "/v1/account", None, True),
        ("method=post", "POST", "/v1/invoiceitems", "cus_1", True),
        ("method=POST", "GET", "/v1/invoiceitems", "cus_1", False),
        ("path=/v1/invoiceitems", "POST", "/v1/invoiceitems/ii_1", "cus_1", False),
        ("path=/v1/invoiceitems*", "POST", "/v1/invoiceitems/ii_1", "cus_1", True),
        ("path=/v1/invoices/*/finalize", "POST", "/v1/invoices/in_1/finalize", "cus_1", True),
        ("customer=cus_1", "POST", "/v1/invoiceitems", "cus_1", True),
        ("customer=cus_1", "POST", "/v1/invoiceitems", "cus_2", False),
        ("customer=cus_1", "GET", "/v1/account", None, False),
    ],
)
def test_which_requests_match(
    options: str, method: str, path: str, customer: str | None, matches: bool
) -> None:
    assert parse(f"lost:{options}").matches(method, path, customer) is matches


def test_the_first_fault_applies_and_every_one_counts(api: Calls, sandbox: SandboxControl) -> None:
    sandbox.add_fault("502:every=2")
    sandbox.add_fault("429")
    assert [api.get("/v1/account").status for _ in range(4)] == [429, 502, 429, 502]
    assert [(f["fault"], f["seen"], f["applied"]) for f in sandbox.faults()] == [
        ("502:every=2", 4, 2),
        ("429", 4, 2),
    ]
    assert [row["fault"] for row in sandbox.ledger()] == ["429", "502", "429", "502"]
    sandbox.clear_faults()
    assert api.get("/v1/account").status == 200


def test_options_can_be_given_as_arguments(sandbox: SandboxControl) -> None:
    sandbox.add_fault("refuse:nth=2", for_=0.5, path="/v1/*")
    assert sandbox.faults()[0]["fault"] == "refuse:nth=2,for=0.5,path=/v1/*"


def test_every_kind_is_documented() -> None:
    from aimeter_cli.sandbox import faults

    assert faults.__doc__ is not None
    for kind, options in KINDS.items():
        assert f"``{kind}``" in faults.__doc__
        assert all(f"``{name}" in faults.__doc__ for name in options)
