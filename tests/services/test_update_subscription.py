"""What an operator changes of a subscription moves no metering period."""

from __future__ import annotations

from typing import Any

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.errors import AimeterError, Conflict, InvalidInput
from aimeter_cli.services.subscriptions.ending import cancel_subscription
from aimeter_cli.services.subscriptions.update import Changes, update_subscription
from aimeter_cli.services.subscriptions.view import show_subscription
from tests.conftest import NOW
from tests.services.world_of_plans import ANCHORED, CALENDAR, a_plan, a_subscription, day


def test_each_field_is_set_and_meta_is_merged(database: Database) -> None:
    a_plan(database, NOW)
    a_subscription(database, NOW, meta={"keep": "1", "drop": "2"})
    changes = Changes("credits", day(20), day(5), meta={"drop": "", "new": "3"})
    update_subscription(database, "user:42", changes, now=NOW)
    row = show_subscription(database, "user:42", now=NOW).subscription
    assert (row.billing_mode, row.renews_at, row.trial_ends_at) == ("credits", day(20), day(5))
    assert row.meta == {"keep": "1", "new": "3"}


def test_a_cancellation_that_has_not_come_can_be_taken_back(database: Database) -> None:
    a_plan(database, NOW)
    a_subscription(database, NOW)
    cancel_subscription(database, "user:42", now=NOW, at=day(3))
    update_subscription(database, "user:42", Changes(no_end=True), now=day(1))
    assert show_subscription(database, "user:42", now=day(4)).status == "active"


@pytest.mark.parametrize(
    ("fields", "changes", "kind", "message"),
    [
        ({}, Changes(), InvalidInput,
         "give --mode, --renews-at, --trial-ends-at, --no-end or --meta"),
        ({}, Changes(no_end=True), Conflict, "no end is set: there is nothing to take back"),
        ({}, Changes(renews_at=NOW), InvalidInput,
         "--renews-at: 2026-11-15T12:00:00Z does not lie after the start, 2026-11-15T12:00:00Z"),
        ({"rule": ANCHORED}, Changes(renews_at=day(9)), Conflict,
         "--renews-at: its periods are counted from it, and what was used is counted by period"),
        ({"stripe_subscription": "sub_1"}, Changes(renews_at=day(9)), Conflict,
         "--renews-at: it renews when Stripe renews sub_1"),
        ({}, Changes(trial_ends_at=day(-1)), InvalidInput,
         "--trial-ends-at: lies before the start, 2026-11-15T12:00:00Z"),
    ],
)  # fmt: skip
def test_what_would_move_a_period_or_contradicts_is_refused_and_changes_nothing(
    fields: dict[str, Any],
    changes: Changes,
    kind: type[AimeterError],
    message: str,
    database: Database,
) -> None:
    a_plan(database, NOW)
    a_subscription(database, NOW, **{"rule": CALENDAR, **fields})
    before = show_subscription(database, "user:42", now=NOW).subscription.model_dump()
    with pytest.raises(kind) as caught:
        update_subscription(database, "user:42", changes, now=NOW)
    assert caught.value.message == message
    assert show_subscription(database, "user:42", now=NOW).subscription.model_dump() == before


def test_one_that_is_over_is_not_changed(database: Database) -> None:
    a_plan(database, NOW)
    a_subscription(database, NOW)
    cancel_subscription(database, "user:42", now=NOW)
    with pytest.raises(Conflict, match="is over: canceled"):
        update_subscription(database, "1", Changes("credits"), now=day(1))
