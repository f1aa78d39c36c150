"""Ways of losing money that a review found, each closed: nothing stuck, nothing doubled."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import Conflict
from aimeter_cli.models.domain_events import DomainEvent
from aimeter_cli.services.billables import update_billable
from aimeter_cli.services.overages import by_hand
from tests.support.world import NOW, World

UPDATE = "path=/v1/invoiceitems/*,method=POST,nth=1"
CREATE = "path=/v1/invoiceitems,method=POST,nth=1"


def owing(world: World, **options: str) -> None:
    world.subscriber(plan=world.plan(), **options)
    world.use(501_000)


def test_a_refused_update_whose_reading_fails_is_looked_at_again(world: World) -> None:
    owing(world)
    world.sync()
    world.use(100_000)
    world.sandbox.add_fault(f"finalize:{UPDATE}")
    world.sandbox.add_fault("502:path=/v1/invoiceitems/*,method=GET,nth=2")
    assert world.sync().exit_code == 3
    assert "failed" not in world.statuses()
    assert world.sync().exit_code == 0
    assert (world.charged(), world.statuses()) == ([200, 1000], ["synced", "synced"])


@pytest.mark.parametrize("currency", ["usd", None])
def test_a_row_that_waits_for_a_rate_goes_on_once_it_needs_none(
    world: World, currency: str | None
) -> None:
    owing(world, currency="eur")
    hint = world.sync().blocked[0].hint
    assert hint == "aimeter rates update --from ecb, or aimeter rates set usd eur RATE"
    world.execute("UPDATE ai_billables SET currency = :c", c=currency)
    assert (world.sync().synced, world.charged()) == (1, [1000])


def test_an_amount_of_a_persons_on_a_final_invoice_is_told_as_held_and_the_rest_can_go_on(
    world: World,
) -> None:
    owing(world)
    world.sync()
    [item] = world.sandbox.items()
    world.use(100_000)
    world.sandbox.person_change_item(item["id"], 900)
    world.sandbox.person_finalize(item["customer"])
    report = world.sync()
    assert (report.synced, report.failed, report.exit_code) == (0, 1, 3)
    assert world.statuses() == ["synced", "held"]
    assert "OverageSyncFailed" in [event.name for event in world.rows(DomainEvent)]
    world.use(50_000)
    assert world.sync().exit_code == 0  # the next sequence is not held up
    by_hand.release(world.database, [2], now=NOW)
    world.sync()
    assert world.charged() == [300, 900]


def test_a_look_up_searches_by_real_time_whatever_time_is_pretended(world: World) -> None:
    world.now = datetime(2027, 6, 15, tzinfo=UTC)  # --as-of, half a year ahead
    owing(world)
    world.sandbox.add_fault(f"lost:{CREATE}")
    world.sync()
    world.time_passes(25 * 3600)
    assert (world.sync().synced, world.charged()) == (1, [1000])


def test_an_overage_refused_for_its_currency_is_charged_in_the_right_one_after_retry(
    world: World,
) -> None:
    owing(world)
    world.sandbox.add_fault(f"400:{CREATE},stored=no,message=You cannot combine currencies")
    assert world.sync().failed == 1
    world.execute("UPDATE ai_billables SET currency = 'eur'")
    world.settings = replace(world.settings, currency_rates={"usd_eur": Decimal("0.5")})
    by_hand.retry(world.database, None, now=NOW)
    for _ in range(2):
        world.sync()
    assert [(i["amount"], i["currency"]) for i in world.sandbox.items()] == [(500, "eur")]
    assert (world.statuses(), world.sync().remaining) == (["synced"], 0)


def test_an_item_of_ours_that_is_not_adopted_yet_is_never_taken_for_one_made_by_hand(
    world: World,
) -> None:
    owing(world)
    world.sandbox.add_fault(f"lost:{CREATE}")
    world.sync()
    [item] = world.sandbox.items()
    world.execute(
        "UPDATE ai_overages SET status = 'failed', last_error = :e", e=f"duplicate: {item['id']}"
    )
    world.execute("UPDATE ai_invoice_items SET status = 'failed', step = 'look_up'")
    with pytest.raises(Conflict, match="that aimeter made"):
        by_hand.mark_synced(world.database, 1, item["id"], now=NOW)
    world.execute("UPDATE ai_overages SET last_error = NULL")
    by_hand.mark_synced(world.database, 1, item["id"], now=NOW)
    report = world.sync()
    assert (report.exit_code, world.charged()) == (3, [1000])  # not set to 0
    assert [i.reason for i in world.items] == ["marked_as_external"]


def test_a_synced_row_on_an_item_that_a_person_changed_cannot_be_waived_silently(
    world: World,
) -> None:
    owing(world)
    world.sync()
    world.use(100_000)
    world.sandbox.person_change_item(world.sandbox.items()[0]["id"], 900)
    world.sync()
    with pytest.raises(Conflict, match="that a person changed at Stripe"):
        by_hand.waive(world.database, [1], reason="goodwill", now=NOW)
    by_hand.waive(world.database, [2], reason="goodwill", now=NOW)
    assert world.statuses() == ["synced", "waived"]


def test_releasing_a_changed_item_puts_our_amount_there_again(any_world: World) -> None:
    owing(any_world)
    any_world.sync()
    any_world.use(100_000)
    any_world.sandbox.person_change_item(any_world.sandbox.items()[0]["id"], 900)
    any_world.sync()
    by_hand.release(any_world.database, [2], now=NOW)
    assert any_world.sync().exit_code == 0
    assert (any_world.charged(), any_world.statuses()) == ([1200], ["synced", "synced"])
    any_world.sandbox.person_change_item(any_world.sandbox.items()[0]["id"], 1)
    any_world.use(100_000)
    assert any_world.sync().failed == 1  # released once, not for ever


def test_releasing_a_deleted_item_makes_a_successor_with_everything(any_world: World) -> None:
    owing(any_world)
    any_world.sync()
    any_world.sandbox.person_delete_item(any_world.sandbox.items()[0]["id"])
    any_world.use(100_000)
    any_world.sync()
    assert any_world.statuses() == ["held", "held"]
    by_hand.release(any_world.database, [1, 2], now=NOW)
    assert any_world.sync().exit_code == 0
    assert (any_world.charged(), any_world.statuses()) == ([1200], ["synced", "synced"])
    assert [item.sequence for item in any_world.items] == [1, 2]


def test_late_usage_is_charged_when_it_is_released(world: World) -> None:
    world.subscriber(plan=world.plan(), started_at=datetime(2026, 1, 1, tzinfo=UTC))
    world.use(501_000, occurred_at="2026-09-15T00:00:00Z")
    assert world.sync().selected == 0
    by_hand.release(world.database, [1], now=NOW)
    assert (world.sync().synced, world.charged()) == (1, [1000])
    with pytest.raises(Conflict, match="overage 1 is synced: only held ones are released"):
        by_hand.release(world.database, [1], now=NOW)


@pytest.mark.parametrize(
    ("base", "code"), [("{url}/nothing/here", 4), ("{url}/_sandbox", 3)], ids=["path", "no api"]
)
def test_a_404_that_is_not_stripes_proves_nothing(world: World, base: str, code: int) -> None:
    from aimeter_cli.billing.registry import make_driver

    owing(world)
    world.sync()
    world.use(100_000)
    right = world.driver
    world.driver = make_driver(
        replace(world.settings, stripe_api_base=base.format(url=world.sandbox.url))
    )
    report = world.sync()
    world.driver.close()
    world.driver = right
    assert report.exit_code == code
    assert world.statuses()[1] in ("open", "frozen")
    if report.error is not None:
        assert "STRIPE_API_BASE" in str(report.error.hint)
    assert (world.sync().synced, world.charged()) == (1, [1200])
    world.sandbox.reset()  # with the ledger, in which such paths are no requests to Stripe


def test_an_answer_that_is_no_invoice_item_leaves_the_row_unknown(world: World) -> None:
    import json
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    from aimeter_cli.billing.registry import make_driver

    class Nonsense(BaseHTTPRequestHandler):
        bodies = iter([b"{}", b"[]", b'{"id": "ii_1", "amount": "10"}'])

        def do_POST(self) -> None:
            body = next(self.bodies)
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = HTTPServer(("127.0.0.1", 0), Nonsense)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    owing(world)
    right = world.driver
    world.driver = make_driver(
        replace(world.settings, stripe_api_base=f"http://127.0.0.1:{server.server_port}")
    )
    for _ in range(3):
        report = world.sync()
        assert (report.unknown, report.fault, report.exit_code) == (1, None, 3)
    world.driver.close()
    server.shutdown()
    server.server_close()
    world.driver = right
    world.sync()
    assert (world.charged(), world.statuses()) == ([1000], ["synced"])
    assert json.loads(world.attempts[0].request)["amount"] == 1000


def test_an_item_that_cannot_be_read_holds_up_no_other_closing(world: World) -> None:
    from datetime import timedelta

    plan = world.plan()
    for ref in ("user:1", "user:2"):
        world.subscriber(ref, plan=plan)
        world.use(501_000, ref)
    world.sync()
    for item in world.sandbox.items():
        world.sandbox.person_finalize(item["customer"])
    world.now += timedelta(days=20)
    world.time_passes(3700)
    world.sandbox.add_fault("400:path=/v1/invoices/*,method=GET,nth=1,stored=no")
    report = world.sync()
    assert report.closed == 1
    assert [notice[:3] for notice in report.notices] == ["ii_"]
    world.time_passes(3700)
    assert world.sync().closed == 1


def test_a_request_that_gets_no_turn_within_its_lease_is_not_sent(world: World) -> None:
    from aimeter_cli.billing.registry import make_driver

    plan = world.plan()
    for n in range(4):
        world.subscriber(f"user:{n}", plan=plan)
        world.use(501_000, f"user:{n}")
    slow = replace(
        world.settings, stripe_requests_per_second=1, lease_seconds=2, stripe_timeout_seconds=1
    )
    world.driver.close()
    world.settings, world.driver = slow, make_driver(slow)
    report = world.sync()
    sent = [row for row in world.sandbox.ledger() if row["path"] == "/v1/invoiceitems"]
    assert len(sent) == report.synced < 4
    assert report.unknown == 0
    for _ in range(4):
        world.sync()
    assert world.charged() == [1000] * 4


def test_operators_and_settlements_take_their_locks_in_one_order(any_world: World) -> None:
    """Waiving while the same item is settled: one waits, nobody deadlocks."""
    import threading

    from aimeter_cli.billing.base import ItemRequest, Reply

    owing(any_world)
    any_world.sync()
    any_world.use(100_000)
    real = any_world.driver
    outcomes: list[object] = []

    def waive() -> None:
        try:
            outcomes.append(by_hand.waive(any_world.database, [1], reason="race", now=NOW))
        except Conflict as error:
            outcomes.append(error)

    class Racing:
        name, livemode = "racing", False
        thread: threading.Thread | None = None

        def __getattr__(self, name: str) -> object:
            return getattr(real, name)

        def send(self, request: ItemRequest) -> Reply:
            reply = real.send(request)
            Racing.thread = threading.Thread(target=waive)
            Racing.thread.start()
            return reply

    any_world.driver = Racing()  # type: ignore[assignment]
    report = any_world.sync()
    assert Racing.thread is not None
    Racing.thread.join(30)
    any_world.driver = real
    assert (report.fault, len(outcomes)) == (None, 1)
    any_world.sync()
    assert any_world.charged() in ([1200], [200])


def test_releasing_an_item_that_was_changed_before_it_was_known_makes_no_second_one(
    world: World,
) -> None:
    owing(world)
    world.sandbox.add_fault(f"500_after:{CREATE},stored=no")
    world.sync()
    world.sandbox.person_change_item(world.sandbox.items()[0]["id"], 990)
    world.time_passes(25 * 3600)
    assert world.sync().failed == 1
    assert world.statuses() == ["held"]
    by_hand.release(world.database, [1], now=NOW)
    assert world.sync().exit_code == 0
    assert (world.charged(), world.statuses()) == ([1000], ["synced"])


@pytest.mark.parametrize("released", [1, 2])
def test_an_item_that_was_taken_for_made_by_hand_goes_on_as_ours_once_released(
    world: World, released: int
) -> None:
    owing(world)
    world.sandbox.add_fault(f"lost:{CREATE}")
    world.sync()
    [item] = world.sandbox.items()
    world.execute("UPDATE ai_invoice_items SET status = 'failed', step = 'look_up'")
    by_hand.mark_synced(world.database, 1, item["id"], now=NOW)
    world.sync()
    world.use(100_000)
    assert [entry.reason for entry in world.sync().blocked] == ["item_held"]
    by_hand.release(world.database, [released], now=NOW)
    for _ in range(2):
        assert world.sync().exit_code == 0
    assert (world.charged(), world.statuses()) == ([1200], ["synced", "synced"])
    assert [overage.external_item_id for overage in world.overages] == [None, None]


@pytest.mark.parametrize("released", [1, 2, 3])
def test_any_overage_of_a_held_item_or_behind_it_releases_it(world: World, released: int) -> None:
    owing(world)
    world.sync()
    world.use(100_000)
    world.sandbox.person_change_item(world.sandbox.items()[0]["id"], 900)
    world.sync()
    by_hand.waive(world.database, [2], reason="goodwill", now=NOW)
    world.use(50_000)
    assert [entry.reason for entry in world.sync().blocked] == ["item_held"]
    by_hand.release(world.database, [released], now=NOW)
    for _ in range(2):
        assert world.sync().exit_code == 0
    assert world.charged() == [1100]
    assert world.statuses() == ["synced", "waived", "synced"]


def test_a_forced_change_of_customer_moves_what_is_pending(any_world: World) -> None:
    from aimeter_cli.domain.references import BillableRef
    from aimeter_cli.services.billables import update_billable

    owing(any_world)
    any_world.sync()
    any_world.use(100_000)
    right = any_world.customer()
    ref = BillableRef.parse("user:42")
    change = {"stripe_customer_id": right}
    with pytest.raises(Conflict, match="while an invoice item is pending at Stripe"):
        update_billable(any_world.database, ref, change, now=NOW)  # type: ignore[arg-type]
    update_billable(any_world.database, ref, change, now=NOW, force=True)  # type: ignore[arg-type]
    any_world.sandbox.add_fault(f"lost:{UPDATE}")  # while the old item is set to 0
    any_world.sync()
    assert any_world.charged() == [0]  # never at both
    for _ in range(2):
        any_world.sync()
    amounts = {item["customer"]: item["amount"] for item in any_world.sandbox.items()}
    assert (sorted(amounts.values()), amounts[right]) == ([0, 1200], 1200)
    assert any_world.statuses() == ["synced", "synced"]
    assert [(i.sequence, i.status, i.final_minor) for i in any_world.items] == [
        (1, "closed", 0),
        (2, "idle", None),
    ]


def test_a_refused_lowering_is_blocked_and_can_be_retried(world: World) -> None:
    owing(world)
    world.sync()
    by_hand.waive(world.database, [1], reason="goodwill", now=NOW)
    world.sandbox.add_fault(f"400:{UPDATE},stored=no")
    assert world.sync().exit_code == 3
    [blocked] = world.sync().blocked
    assert (blocked.reason, blocked.overages) == ("item_failed", (1,))
    by_hand.retry(world.database, None, now=NOW)
    for _ in range(2):
        world.sync()
    assert (world.charged(), world.sync().blocked) == ([0], [])


def test_half_of_the_limit_is_kept_for_new_overages(world: World) -> None:
    plan = world.plan()
    world.subscriber("slow:1", plan=plan)
    world.use(501_000, "slow:1")
    slow = world.rows(_billable())[0].stripe_customer_id
    world.sandbox.add_fault(f"502:customer={slow}")
    world.sync(limit=1)
    for n in range(3):
        world.subscriber(f"user:{n}", plan=plan)
        world.use(501_000, f"user:{n}")
    for _ in range(3):
        world.sync(limit=1)
    assert world.statuses() == ["unknown", "synced", "synced", "synced"]


def _billable() -> type:
    from aimeter_cli.models.billables import Billable

    return Billable


def test_a_customer_cannot_change_under_a_request_that_is_under_way(any_world: World) -> None:
    from aimeter_cli.billing.base import ItemRequest, Reply
    from aimeter_cli.domain.references import BillableRef
    from aimeter_cli.services.billables import update_billable

    owing(any_world)
    any_world.sync()
    any_world.use(100_000)
    change = {"stripe_customer_id": any_world.customer()}
    real = any_world.driver
    told: list[str] = []

    class Meanwhile:
        name, livemode = "meanwhile", False

        def __getattr__(self, name: str) -> object:
            return getattr(real, name)

        def send(self, request: ItemRequest) -> Reply:
            ref = BillableRef.parse("user:42")
            try:
                update_billable(any_world.database, ref, change, now=NOW, force=True)  # type: ignore[arg-type]
            except Conflict as error:
                told.append(error.message)
            return real.send(request)

    any_world.driver = Meanwhile()  # type: ignore[assignment]
    any_world.sync()
    any_world.driver = real
    assert len(told) == 1
    assert "while a request for an invoice item is under way" in told[0]
    assert (any_world.charged(), any_world.statuses()) == ([1200], ["synced", "synced"])


def test_a_difference_found_when_an_item_closes_is_told(world: World) -> None:
    owing(world)
    world.sync()
    by_hand.waive(world.database, [1], reason="too late", now=NOW)
    world.sandbox.person_finalize(world.sandbox.items()[0]["customer"])
    report = world.sync()
    [item] = world.sandbox.items()
    [notice] = report.notices
    assert notice.startswith(
        f"{item['id']} was closed with a difference: -10.00 USD goes to the customer's next item"
    )
    assert world.items[0].carry_out == Decimal(-10)


def test_an_item_that_is_leaving_ends_only_once_nothing_is_charged_on_it() -> None:
    from aimeter_cli.services.sync.target import closed_empty

    def ends(*, is_leaving: bool, confirmed_minor: int) -> bool:
        item = {"is_leaving": is_leaving, "confirmed_minor": confirmed_minor}
        return bool(closed_empty(item))  # type: ignore[arg-type]

    assert ends(is_leaving=True, confirmed_minor=0)
    assert not ends(is_leaving=True, confirmed_minor=1200)
    assert not ends(is_leaving=False, confirmed_minor=0)


def leaving(world: World) -> None:
    """Ten dollars on an item of the old customer, which the new one is to owe."""
    owing(world)
    world.sync()
    ref = BillableRef.parse("user:42")
    new = world.customer()
    update_billable(world.database, ref, {"stripe_customer_id": new}, now=NOW, force=True)


def test_a_leaving_item_that_was_refused_goes_on_after_retry(world: World) -> None:
    leaving(world)
    world.sandbox.add_fault(f"400:{UPDATE},stored=no,message=Not now")
    world.sync()
    assert [entry.reason for entry in world.sync().blocked] == ["item_failed"]
    assert len(by_hand.retry(world.database, None, now=NOW)) == 1
    for _ in range(3):
        world.sync()
    assert (world.charged(), world.statuses()) == ([0, 1000], ["synced"])


@pytest.mark.parametrize("waived", [True, False])
def test_a_leaving_item_that_a_person_changed_is_told_and_can_be_released(
    world: World, *, waived: bool
) -> None:
    leaving(world)
    [item] = world.sandbox.items()
    world.sandbox.person_change_item(item["id"], 770)
    world.sync()
    if waived:
        by_hand.waive(world.database, [1], reason="goodwill", now=NOW)
    assert [entry.reason for entry in world.sync().blocked] == ["item_held"]
    by_hand.release(world.database, [1], now=NOW)
    for _ in range(3):
        world.sync()
    assert world.charged() == ([0] if waived else [0, 1000])


def test_a_deleted_item_of_which_everything_is_waived_holds_up_nothing(world: World) -> None:
    owing(world)
    world.sync()
    world.sandbox.person_delete_item(world.sandbox.items()[0]["id"])
    world.use(100_000)
    world.sync()
    assert world.statuses() == ["held", "held"]
    by_hand.waive(world.database, [1, 2], reason="goodwill", now=NOW)
    world.use(50_000)
    assert (world.sync().blocked, world.charged()) == ([], [100])
