"""Billables are TYPE:ID; Stripe's ids have their prefix; slugs are made from names."""

from __future__ import annotations

import pytest

from aimeter_cli.domain.references import BillableRef, checked_slug, slugify, stripe_id
from aimeter_cli.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "kind", "ident"),
    [
        ("user:42", "user", "42"),
        ("team:7f3c", "team", "7f3c"),
        ("App\\Models\\User:1", "App\\Models\\User", "1"),
        ("user:a:b", "user", "a:b"),
        ("user:ä", "user", "ä"),
    ],
)
def test_a_billable_is_a_type_and_an_id(text: str, kind: str, ident: str) -> None:
    assert BillableRef.parse(text) == BillableRef(kind, ident)
    assert str(BillableRef.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "42", ":42", "user:", "user: 42", "user::42", "4u:1", "user:\x1b[1m", "user:4\n2"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not a billable: expected TYPE:ID"):
        BillableRef.parse(text)


@pytest.mark.parametrize("text", ["cus_Q1w2e3", " cus_x ", "cus_a_b"])
def test_a_stripe_id_has_its_prefix(text: str) -> None:
    assert stripe_id(text, "cus", "--customer") == text.strip()


@pytest.mark.parametrize("text", ["", "cus", "cus_", "sub_Q1w2e3", "cus-Q1", "CUS_Q1", "cus_a b"])
def test_another_shape_is_refused_and_says_which_option(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"--customer: .* is not a Stripe id of .* cus_…"):
        stripe_id(text, "cus", "--customer")


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Pro", "pro"),
        ("Pro Plan (2026)", "pro-plan-2026"),
        ("  A  b ", "a-b"),
        ("x" * 80, "x" * 64),
    ],
)
def test_a_name_becomes_a_slug(name: str, slug: str) -> None:
    assert slugify(name) == slug


@pytest.mark.parametrize("text", ["", "Pro", "a b", "-a", "ü", "a" * 65])
def test_a_bad_slug_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"--slug: .* gives no slug"):
        checked_slug(text)


def test_a_name_without_letters_gives_no_slug() -> None:
    with pytest.raises(InvalidInput, match="NAME: '!!!' has no letters or digits"):
        slugify("!!!")
