"""Seven shapes of one history, 2017 to today, have one effect.

The facts are those of Stripe's API reference and changelog; the data is our own.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.webhooks.conftest import World
from tests.webhooks.payloads import Event

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "versions.json").read_text(encoding="utf-8")
)


def told(case: dict[str, Any], kind: str, body: dict[str, Any], at: str, **data: Any) -> Event:
    created = int(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp())
    return {
        "id": f"evt_{kind.replace('.', '_')}", "object": "event", "api_version": case["version"],
        "created": created, "livemode": False, "type": kind, "data": {"object": body, **data},
    }  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case["version"] for case in CASES])
def test_a_renewal_a_failure_and_an_end_have_the_same_effect_in_every_version(
    world: World, case: dict[str, Any]
) -> None:
    body = case["subscription"]
    update = told(case, "customer.subscription.updated", body, "2026-12-01T00:00:05",
                  previous_attributes=case["previous"])  # fmt: skip
    assert world.receive(update).error is None
    state = world.state()
    assert (state["current_period_start"], state["current_period_end"], state["renews_at"]) == (
        "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z",
    )  # fmt: skip
    assert (state["plan_id"], state["started_at"]) == (1, "2026-10-01T00:00:00Z")

    failed = told(case, "invoice.payment_failed", case["invoice"], "2026-12-01T01:00:00")
    assert world.receive(failed).status == "processed"
    assert world.state()["grace_invoice_id"] == "in_1"
    assert world.state()["grace_period_ends_at"] == "2026-12-08T01:00:00Z"

    ended = body | case["ended"]
    gone = told(case, "customer.subscription.deleted", ended, "2026-12-11T00:00:00")
    assert world.receive(gone).status == "processed"
    state = world.state()
    assert (state["ends_at"], state["is_live"]) == ("2026-12-11T00:00:00Z", False)
    assert state["grace_period_ends_at"] is None
    assert state["cancellation_reason"] == case.get("reason")
