"""What has happened before the screens are looked at: half a month of an installation's life.

Made by the commands themselves, each at its time.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aimeter_cli.db.engine import Database
from aimeter_cli.migrations.upgrade import upgrade
from tests.screens.capture import Shown, shown
from tests.screens.frozen import NOW, Clock, frozen
from tests.screens.stripe_side import REFUSED
from tests.webhooks.payloads import event, failure, payment, subscription

INSTALL_ID = "5c1e3a7d9b2f4c6880a1d2e3f4051627"
CONFIGURATION = """\
currency = "usd"
price_library = false

[billing]
driver = "tests.screens.stripe_side:StripeSide"

[stripe]
concurrency = 1

[currency_rates]
usd_gbp = 0.7812

[prices.openai."gpt-4o-mini"]
input_per_1m = "0.15"
cached_input_per_1m = "0.075"
output_per_1m = "0.60"

[prices.anthropic."claude-sonnet"]
input_per_1m = "3"
output_per_1m = "15"

[[event_sinks]]
name = "ledger"
command = ["/bin/false"]
events = ["OverageCharged", "PaymentFailed"]

[[alerts]]
name = "on-call"
command = ["/bin/true"]
"""
_ENVIRONMENT = {
    "AI_METERING_DATABASE_URL": "sqlite:///aimeter.db",
    "AIMETER_CONFIG": "aimeter.toml",
    "STRIPE_API_KEY": "sk_test_of_the_screens",
    "STRIPE_WEBHOOK_SECRET": "whsec_of_the_screens",
}
EVENT = "evt_1PgbgsB7WZ01zgkWinv00001"
"""Of a payment that failed."""
CUSTOMERS = {
    "user:42": "cus_Nff6eUfNV2Hib8",
    "team:7f3c": "cus_QkR3vWmT1xYz9a",
    "org:acme-holdings-international": "cus_RtB5nMh2Lp0Wqe",
    "user:1001": REFUSED,
}


@contextmanager
def world(folder: Path, clock: Clock) -> Iterator[None]:
    """The folder's own world: no setting of this host, and a clock that is told the time."""
    with frozen(folder, clock) as patch:
        for name in list(os.environ):
            if name.startswith(("AI_METERING_", "AIMETER_", "STRIPE_")) or name in (
                "NO_COLOR", "FORCE_COLOR",
            ):  # fmt: skip
                patch.delenv(name)
        for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
            patch.setenv(name, str(folder / "home"))
        for name, value in _ENVIRONMENT.items():
            patch.setenv(name, value)
        yield


def make_empty(folder: Path) -> None:
    """A migrated database in which nothing has happened."""
    folder.mkdir(parents=True)
    (folder / "aimeter.toml").write_text(CONFIGURATION)
    file = folder / "aimeter.db"
    database = Database(f"sqlite:///{file}")
    upgrade(database)
    with database.write() as session:
        session.connection().exec_driver_sql(
            f"UPDATE ai_installation SET install_id = '{INSTALL_ID}'"
        )
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.dispose()
    file.chmod(0o600)


def make(folder: Path, empty: Path) -> None:
    """The database of the whole story, begun with a copy of an empty one."""
    shutil.copytree(empty, folder)
    clock = Clock()
    with world(folder, clock):
        for step in (_sell, _subscribe, _use, _bill, _take_events, _go_on):
            step(clock)
    assert clock.now == NOW


def run(*args: object, expect: int = 0) -> Shown:
    """A command of the story, which must end as expected."""
    done = shown(*map(str, args), width=None)
    assert done.code == expect, f"aimeter {args} ended with {done.code}:\n{done.text}"
    return done


def _sell(clock: Clock) -> None:
    clock.at("2026-10-01T09:00")
    run("plans", "create", "Starter", "--token-limit", 100_000, "--overage-behavior", "block")
    run("plans", "create", "Pro", "--token-limit", 1_000_000, "--cost-limit", 50,
        "--feature", "chat", "--feature", "search", "--trial-days", 14,
        "--overage-price-per-1k", "0.02", "--overage-behavior", "charge",
        "--stripe-price", "price_1PgafmB7WZ01zgkWpro2026x")  # fmt: skip
    run("plans", "create", "Scale, for teams", "--slug", "scale-eur", "--currency", "eur",
        "--request-limit", 10_000, "--overage-price-per-1k", "0.000125", "--overage-behavior",
        "charge")  # fmt: skip
    run("plans", "create", "Starter 2025", "--token-limit", 50_000)
    run("plans", "archive", "starter-2025")
    clock.at("2026-10-20T06:00")
    run("rates", "set", "usd", "eur", "0.862068965517241379", "--source", "ECB")
    clock.at("2026-11-14T15:00")
    run("rates", "set", "usd", "eur", "0.858369098712446352", "--source", "ECB")
    run("rates", "set", "usd", "jpy", "154.73", "--source", "by hand", "--at", "2026-11-01")


def _subscribe(clock: Clock) -> None:
    clock.at("2026-11-01T00:00")
    for ref, customer in CUSTOMERS.items():
        run("billables", "create", ref, "--stripe-customer", customer)
    run("billables", "update", "user:42", "--name", "Ada Lovelace", "--email", "ada@example.com")
    run("billables", "update", "org:acme-holdings-international", "--name",
        "ACME Holdings International, Department of Numbers")  # fmt: skip
    plans = {"user:42": "pro", "team:7f3c": "scale-eur", "user:1001": "pro", "user:7": "pro",
             "org:acme-holdings-international": "pro", "user:8": "starter"}  # fmt: skip
    for number, (ref, plan) in enumerate(plans.items(), 1):
        stripe = ("--stripe-subscription", f"sub_1PgafmB7WZ01zgkW{number:06}")
        run("subscriptions", "create", "--billable", ref, "--plan", plan, "--trial-days", 0,
            *(stripe if ref in CUSTOMERS else ()))  # fmt: skip
    clock.at("2026-11-10T00:00")
    run("subscriptions", "create", "--billable", "user:9", "--plan", "pro")
    run("subscriptions", "create", "--billable", "user:10", "--plan", "starter", "--mode",
        "credits")  # fmt: skip
    run("subscriptions", "cancel", "user:8", "--at-period-end")
    run("credits", "add", "user:10", 50, "--currency", "usd", "--reason", "order 1017",
        "--idempotency-key", "order-1017")  # fmt: skip
    run("credits", "add", "team:7f3c", "120.5", "--currency", "eur", "--expires-at",
        "2027-01-01", "--reason", "start-up programme, second year")  # fmt: skip
    run("credits", "deduct", "user:10", "0.000125", "--reason", "a small fee")
    run("overrides", "set", "user:42", "--tokens", "1,200,000", "--cost", "unlimited", "--reason",
        "launch week")  # fmt: skip


def _use(clock: Clock) -> None:
    clock.at("2026-11-15T09:00")
    lines = [
        _usage("user:42", 1, 1_150_000, 50_000), _usage("user:42", 9, 800_000, 26_000),
        _usage("team:7f3c", 2, 400_000, 90_000, model="claude-sonnet", provider="anthropic"),
        _usage("user:1001", 3, 1_400_000, 0), _usage("user:7", 4, 1_000_400, 100),
        _usage("org:acme-holdings-international", 5, 9_000_000, 1_000_000, feature="search"),
        _usage("org:acme-holdings-international", 12, 2_000, 100, model="gpt-6-unheard-of"),
        _usage("user:10", 13, 100_000, 20_000), _usage("user:9", 14, 3_000, 500),
    ]  # fmt: skip
    Path("usage.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run("usage", "import", "usage.jsonl")


def _usage(
    ref: str, day: int, tokens_in: int, tokens_out: int, *, provider: str = "openai",
    model: str = "gpt-4o-mini", feature: str = "chat",
) -> dict[str, object]:  # fmt: skip
    return {
        "billable": ref, "provider": provider, "model": model, "feature": feature,
        "input_tokens": tokens_in, "output_tokens": tokens_out,
        "occurred_at": f"2026-11-{day:02}T08:30:00Z", "idempotency_key": f"{ref}-{day}",
    }  # fmt: skip


def _bill(clock: Clock) -> None:
    clock.at("2026-11-15T10:00")
    run("sync-stripe-overages", expect=3)


def _take_events(clock: Clock) -> None:
    clock.at("2026-11-15T11:00")
    renewed = subscription(id="sub_1PgafmB7WZ01zgkW000002", end="2026-12-02")
    taken = [
        failure(at="2026-11-13T01:00:00", id="in_1PgafmB7WZ01zgkWnov0042",
                subscription="sub_1PgafmB7WZ01zgkW000001") | {"id": EVENT},
        event("customer.subscription.updated", renewed, "2026-11-14",
              id="evt_1PgbgtB7WZ01zgkWsub00002"),
        event("charge.dispute.created", {"id": "dp_1PgbguB7WZ01zgkWd", "object": "dispute"},
              "2026-11-14T08:00", id="evt_1PgbguB7WZ01zgkWdis00003"),
    ]  # fmt: skip
    Path("events.jsonl").write_text("".join(json.dumps(each) + "\n" for each in taken))
    run("webhooks", "replay", "events.jsonl")
    run("events", "deliver", expect=3)


def _go_on(clock: Clock) -> None:
    clock.at("2026-11-15T11:30")
    more = [_usage("user:42", 15, 61_500, 2_500), _usage("user:7", 15, 900_000, 12_345)]
    Path("today.jsonl").write_text("".join(json.dumps(line) + "\n" for line in more))
    run("usage", "import", "today.jsonl")
    run("alerts", "check")
    _for_later()
    clock.now = NOW


def _for_later() -> None:
    """Files that the screens take in."""
    paid = payment(at="2026-11-15T11:45", id="in_1PgafmB7WZ01zgkWnov0042",
                   subscription="sub_1PgafmB7WZ01zgkW000001")  # fmt: skip
    ended = subscription(id="sub_1PgafmB7WZ01zgkW000003", status="canceled",
                         ended_at="2026-11-15", canceled_at="2026-11-15")  # fmt: skip
    more = [
        paid | {"id": "evt_1PgchtB7WZ01zgkWpaid0004"},
        event("customer.subscription.deleted", ended, "2026-11-15T10:30",
              id="evt_1PgchtB7WZ01zgkWdel00005"),
        {"id": "evt_1PgchtB7WZ01zgkWnot00006", "object": "event"},
    ]  # fmt: skip
    Path("again.jsonl").write_text("".join(json.dumps(each) + "\n" for each in more))
    lines = [_usage("user:9", 15, 5_000, 600), _usage("user:9", 14, 3_000, 500)]
    Path("more.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in lines) + '{"billable": "nobody"}\n'
    )
