"""``stripe_ids.auto_sync`` from code, on the sandbox."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import aimeter_cli
from aimeter_cli import Runtime, overages, stripe_ids
from aimeter_cli.db.engine import Database
from aimeter_cli.errors import NotFound
from aimeter_cli.sandbox.client import SandboxControl
from tests.cli.conftest import Post, billing, post
from tests.metering.conftest import runtime_on
from tests.services.world_of_plans import USER, a_plan, a_subscription

__all__ = ["billing", "post"]


@pytest.fixture
def runtime(database: Database, billing: SandboxControl) -> Iterator[Runtime]:
    from tests.conftest import NOW

    a_plan(database, NOW)
    a_subscription(database, NOW)
    made = runtime_on(database)
    yield made
    made.close()


def test_it_finds_the_ids_after_a_sign_up(
    runtime: Runtime, post: Post, billing: SandboxControl
) -> None:
    customer = post("customers", **{"metadata[aimeter_billable]": str(USER)})["id"]
    made = post("subscriptions", customer=customer, **{"items[0][price]": "price_pro"})
    linked = stripe_ids.auto_sync(("user", 42), runtime=runtime)
    assert linked.found is not None
    assert linked.found.status == "set"
    assert linked.found.stripe_customer_id == customer
    assert linked.found.stripe_subscription_id == made["id"]
    assert linked.notices[0] == f"Stripe ids: user:42 is {customer} and {made['id']} at Stripe"
    before = len(billing.ledger())
    assert stripe_ids.auto_sync("user:42", runtime=runtime) == stripe_ids.Linked(None)
    assert len(billing.ledger()) == before  # nothing is missing: nobody is asked


def test_a_stripe_that_fails_is_told_and_raises_nothing(
    runtime: Runtime, billing: SandboxControl
) -> None:
    billing.add_fault("reset", times=1)
    linked = stripe_ids.auto_sync("user:42", runtime=runtime)
    assert linked.found is None
    assert "aimeter subscriptions sync-stripe-ids tries again" in linked.notices[0]
    with pytest.raises(NotFound):
        stripe_ids.auto_sync("user:nobody", runtime=runtime)


def test_what_the_api_returns_has_a_name_in_it() -> None:
    from aimeter_cli.repositories.overages import OverageView

    assert aimeter_cli.OverageView is overages.OverageView is OverageView
    assert set(aimeter_cli.__all__) >= {"OverageView", "stripe_ids"}
    for name in aimeter_cli.__all__:
        getattr(aimeter_cli, name)
