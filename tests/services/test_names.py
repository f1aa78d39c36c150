"""Whom somebody may have meant."""

from __future__ import annotations

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import NotFound
from aimeter_cli.services.billables import create_billable, show_billable
from aimeter_cli.services.names import billables_from
from tests.conftest import Clock

KNOWN = ("user:42", "user:Alice", "team:7", "user:100%", "account:a:b")


@pytest.fixture
def known(any_database: Database, clock: Clock) -> Database:
    for name in KNOWN:
        create_billable(any_database, BillableRef.parse(name), {}, now=clock.now)
    return any_database


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("usr:42", "user:42"),
        ("users:42", "user:42"),
        ("user:alice", "user:Alice"),
        ("user:Alcie", "user:Alice"),
        ("teem:7", "team:7"),
    ],
)
def test_the_closest_name_is_suggested(typed: str, meant: str, known: Database) -> None:
    with pytest.raises(NotFound) as refused:
        show_billable(known, BillableRef.parse(typed))
    assert refused.value.hint == f"Did you mean {meant}?"


@pytest.mark.parametrize("typed", ["user:77", "planet:earth", "team:42"])
def test_nothing_is_suggested_that_is_not_close(typed: str, known: Database) -> None:
    with pytest.raises(NotFound) as refused:
        show_billable(known, BillableRef.parse(typed))
    assert refused.value.hint == f"aimeter billables create {typed}"


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("user:1", ["user:100%"]),
        ("user:%", []),
        ("acc", ["account:a:b"]),
        ("account:a:", ["account:a:b"]),
        ("use", ["user:100%", "user:42", "user:Alice"]),
    ],
)
def test_names_begin_with_what_was_typed(typed: str, found: list[str], known: Database) -> None:
    assert sorted(billables_from(known, typed)) == found
