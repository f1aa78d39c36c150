"""Overage on an invoice that nobody pays is told for as long as it is so."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import cast

import pytest

from aimeter_cli.app import App
from aimeter_cli.doctor.lost import lost as finding
from aimeter_cli.repositories.lost_invoices import lost_items
from aimeter_cli.services.audit.run import run_audit
from aimeter_cli.services.overages.explain import explain
from tests.services.sync.test_drafts import used_in_the_last_hour
from tests.support.renewals import renew, take
from tests.support.world import World


def lost(world: World, *kinds: str) -> str:
    """10.00 USD on a finalised invoice, about which these events come; its id."""
    draft = renew(world, used_in_the_last_hour(world))
    take(world, "invoice.created", draft)
    world.sandbox.person_finalize(draft["customer"])
    [invoice] = world.sandbox.invoices()
    for kind in kinds:
        take(world, kind, invoice)
    return str(invoice["id"])


@pytest.mark.parametrize(
    ("kinds", "status"),
    [
        (("invoice.finalized",), None),
        (("invoice.voided",), "void"),
        (("invoice.marked_uncollectible",), "uncollectible"),
        (("invoice.marked_uncollectible", "invoice.paid"), None),
        (("invoice.marked_uncollectible", "invoice.voided"), "void"),
    ],
)
def test_audit_and_explain_tell_what_is_on_invoices_that_nobody_pays(
    any_world: World, kinds: tuple[str, ...], status: str | None
) -> None:
    invoice = lost(any_world, *kinds)
    audit = run_audit(any_world.database)
    assert audit.adds_up
    explained = explain(any_world.database, 1)
    assert explained.invoice_status == status
    if status is None:
        assert (audit.lost, audit.notes, explained.next_step) == ([], [], None)
        return
    [row] = audit.lost
    assert (row.billable, str(row.amount), row.currency, row.stripe_invoice_id) == (
        "user:42", "10.000000000", "usd", invoice,
    )  # fmt: skip
    assert row.invoice_status == status
    assert audit.notes[0].startswith(f"10.00 USD is on {status} invoices: item 1 of user:42;")
    assert "nothing charges it again by itself" in explained.in_words
    assert explained.next_step == "what the customer still owes is for a new invoice at Stripe"


def test_only_what_was_lost_since_then_and_of_that_billable_is_found(world: World) -> None:
    lost(world, "invoice.voided")
    with world.database.read() as session:
        [found] = lost_items(session)
        assert lost_items(session, since=found.since) == [found]
        assert lost_items(session, since=found.since.replace(year=2099)) == []
        assert lost_items(session, billable_id=99) == []
        assert lost_items(session, item_id=99) == []


def test_the_doctor_tells_for_90_days_how_much_is_lost_and_whose_it_is(world: World) -> None:
    invoice = lost(world, "invoice.voided")
    with world.database.read() as session:
        [found] = lost_items(session)
    app = SimpleNamespace(database=world.database, now=lambda: found.since + timedelta(days=90))
    [check] = finding(cast(App, app))
    assert check.status == "warning"
    assert check.detail == (
        f"10.00 USD of overage is on 1 void invoice(s), such as {invoice}: user:42"
    )
    assert check.hint is not None
    assert "new invoice at Stripe" in check.hint
    app.now = lambda: found.since + timedelta(days=91)
    assert [check.status for check in finding(cast(App, app))] == ["ok"]
