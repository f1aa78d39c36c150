"""The main job by its commands: usage in, overage out, on the invoice; with its exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aimeter_cli.sandbox.client import SandboxControl
from tests.cli.test_help import loaded_modules
from tests.conftest import Cli, Result

NOW = ("--as-of", "2026-11-15T12:00:00Z")
OVERAGE_FIELDS = [
    "id", "billable", "subscription_id", "period_start", "period_end", "tokens", "amount",
    "currency", "status", "is_synced", "synced_at", "stripe_invoice_item_id", "attempts",
    "last_error",
]  # fmt: skip
SUMMARY_FIELDS = [
    "run_id", "dry_run", "selected", "synced", "failed", "unknown", "deferred", "blocked",
    "remaining", "seconds", "items",
]  # fmt: skip
ITEM_FIELDS = [
    "billable", "stripe_customer_id", "stripe_invoice_item_id", "currency", "amount_minor",
    "overages", "status", "error", "request_id",
]  # fmt: skip
USAGE_FIELDS = [
    "billable", "provider", "model", "feature", "input_tokens", "cached_input_tokens",
    "cache_write_tokens", "output_tokens", "reasoning_tokens", "cost", "currency",
    "idempotency_key", "occurred_at", "meta",
]  # fmt: skip


def owe(cli: Cli, ref: str = "user:42", customer: str | None = None) -> Result:
    """A plan, a subscription, and 500,000 tokens beyond it: 10.00 USD."""
    cli(
        "plans", "create", "Pro", "--token-limit", "1000", "--overage-price-per-1k", "0.02",
        "--overage-behavior", "charge",
    )  # fmt: skip
    linked = ("--stripe-customer", customer) if customer else ()
    made = cli(
        "subscriptions", "create", "--billable", ref, "--plan", "pro", *linked,
        "--started-at", "2026-11-01", *NOW,
    )  # fmt: skip
    assert made.code == 0, made.err
    return use(cli, ref)


def use(cli: Cli, ref: str = "user:42", *more: str, tokens: int = 501_000) -> Result:
    return cli(
        "usage", "record", "--billable", ref, "--provider", "openai", "--model", "gpt-4o-mini",
        "--input-tokens", tokens, "--cost", "0.1", *more, "--format", "json", *NOW,
    )  # fmt: skip


def sync(cli: Cli, *more: str, **options: Any) -> Result:
    return cli("sync-stripe-overages", *more, "--format", "json", *NOW, **options)


def test_usage_record_prints_the_usage_with_its_charge(cli: Cli) -> None:
    done = owe(cli)
    assert done.code == 0
    assert list(done.json)[: len(USAGE_FIELDS)] == USAGE_FIELDS
    assert (done.json["cost"], done.json["charge"]) == ("0.100000000", "10.000000000")
    assert (done.json["is_new"], done.json["state"]) == (True, "priced")
    assert "user:42 is beyond its plan" in done.err


def test_a_repeated_key_is_told_and_changes_nothing(cli: Cli) -> None:
    owe(cli)
    first = use(cli, "user:42", "--idempotency-key", "k")
    again = use(cli, "user:42", "--idempotency-key", "k")
    assert (first.json["id"], again.json["is_new"]) == (again.json["id"], False)
    assert "this key was recorded before" in again.err
    other = use(cli, "user:42", "--idempotency-key", "k", tokens=1)
    assert (other.code, other.out) == (1, "")
    assert "idempotency key 'k' was used for another usage" in other.err


def test_sync_puts_the_overage_on_the_invoice_and_says_so(
    cli: Cli, billing: SandboxControl, customer: Callable[[], str]
) -> None:
    owe(cli, customer=customer())
    [unsynced] = cli("overages", "list", "--unsynced", "--format", "json").json
    assert list(unsynced)[: len(OVERAGE_FIELDS)] == OVERAGE_FIELDS
    assert (unsynced["status"], unsynced["amount"]) == ("open", "10.000000000")
    assert unsynced["period_start"] == "2026-11-01T00:00:00Z"
    done = sync(cli, "--limit", "50")
    assert done.code == 0
    assert list(done.json)[: len(SUMMARY_FIELDS)] == SUMMARY_FIELDS
    assert (done.json["selected"], done.json["synced"], done.json["remaining"]) == (1, 1, 0)
    [item] = done.json["items"]
    assert list(item)[: len(ITEM_FIELDS)] == ITEM_FIELDS
    assert (item["amount_minor"], item["currency"], item["status"]) == (1000, "usd", "synced")
    assert cli("overages", "list", "--unsynced", "--format", "json").json == []
    [synced] = cli("overages", "list", "--synced", "--format", "json").json
    assert (synced["is_synced"], synced["attempts"]) == (True, 1)
    assert synced["stripe_invoice_item_id"] == billing.items()[0]["id"]
    again = sync(cli)
    assert (again.code, again.json["selected"], len(billing.items())) == (0, 0, 1)


def test_a_row_that_fails_makes_exit_3_and_the_others_go_on(
    cli: Cli, billing: SandboxControl, customer: Callable[[], str]
) -> None:
    """Pitfalls 3 and 6."""
    owe(cli, "user:1", "cus_nobody")
    owe(cli, "user:2", customer())
    done = sync(cli)
    assert (done.code, done.json["synced"], done.json["failed"]) == (3, 1, 1)
    failed = next(item for item in done.json["items"] if item["status"] == "failed")
    assert (failed["billable"], failed["stripe_customer_id"]) == ("user:1", "cus_nobody")
    assert "some overages are not settled" in done.err
    assert [
        row["billable"] for row in cli("overages", "list", "--failed", "--format", "json").json
    ] == ["user:1"]
    assert cli("doctor", "--format", "json").code == 1


@pytest.mark.parametrize(
    ("env", "code", "told"),
    [
        ({"AI_METERING_BILLING_DRIVER": "null"}, 4, "there is nowhere to send"),
        ({"STRIPE_API_KEY": ""}, 4, "STRIPE_API_KEY is not set"),
        ({"STRIPE_API_KEY": "sk_test_forbidden"}, 4, "the key may not ask whose account"),
        ({"STRIPE_API_KEY": "sk_live_canary"}, 4, "stripe.live is not true"),
        ({"STRIPE_API_BASE": "http://127.0.0.1:9"}, 3, "some overages are not settled"),
        ({"AI_METERING_BILLING_DRIVER": "nonsense"}, 4, "unknown billing driver 'nonsense'"),
    ],
)
def test_what_the_configuration_lacks_has_its_exit_code_and_marks_nothing(
    cli: Cli, billing: SandboxControl, customer: Callable[[], str],
    env: dict[str, str], code: int, told: str,
) -> None:  # fmt: skip
    owe(cli, customer=customer())
    done = sync(cli, env=env)
    assert done.code == code
    assert told in done.err
    assert "canary" not in done.out + done.err
    [row] = cli("overages", "list", "--unsynced", "--format", "json").json
    assert (row["is_synced"], billing.items()) == (False, [])


def test_a_dry_run_shows_the_request_and_sends_nothing(
    cli: Cli, billing: SandboxControl, customer: Callable[[], str]
) -> None:
    owe(cli, customer=customer())
    before = len(billing.ledger())
    done = sync(cli, "--dry-run")
    assert (done.code, done.json["dry_run"]) == (0, True)
    request = done.json["items"][0]["request"]
    assert (request["path"], request["params"]["amount"]) == ("/v1/invoiceitems", 1000)
    assert len(billing.ledger()) == before
    assert "dry run: nothing was changed" in done.err


def test_only_the_named_billable_is_synced(
    cli: Cli, billing: SandboxControl, customer: Callable[[], str]
) -> None:
    owe(cli, "user:1", customer())
    owe(cli, "user:2", customer())
    done = sync(cli, "--billable", "user:2")
    assert [item["billable"] for item in done.json["items"]] == ["user:2"]
    unknown = sync(cli, "--billable", "user:3")
    assert (unknown.code, unknown.out) == (1, "")


def test_a_paused_sync_exits_0_says_why_and_is_resumed(
    cli: Cli, billing: SandboxControl, customer: Callable[[], str]
) -> None:
    owe(cli, customer=customer())
    assert cli("sync", "pause", "--reason", "Stripe incident").code == 0
    assert cli("sync", "status", "--format", "json").json["paused_reason"] == "Stripe incident"
    done = sync(cli)
    assert (done.code, done.json["selected"]) == (0, 0)
    assert "sync is paused: Stripe incident" in done.err
    assert cli("sync", "resume").code == 0
    assert sync(cli).json["synced"] == 1


def test_the_strategy_immediate_sends_right_after_recording(
    cli: Cli, billing: SandboxControl, customer: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Pitfall 7: two equal overages of one day are both charged."""
    monkeypatch.setenv("AI_METERING_OVERAGE_SYNC_STRATEGY", "immediate")
    owe(cli, customer=customer())
    use(cli)
    assert [item["amount"] for item in billing.items()] == [2002]
    billing.add_fault("500_before:path=/v1/invoiceitems/*,method=POST")
    failing = use(cli)
    assert (failing.code, failing.json["charge"]) == (0, "10.020000000")
    assert "the next sync-stripe-overages goes on" in failing.err
    billing.clear_faults()
    sync(cli, "--retry-now")
    assert sync(cli, "--retry-now").code == 0
    assert [item["amount"] for item in billing.items()] == [3004]


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_settles_what_is_in_flight_and_gives_the_rest_back(
    cli: Cli, billing: SandboxControl, customer: Callable[[], str], name: str, code: int,
) -> None:  # fmt: skip
    for n in range(6):
        owe(cli, f"user:{n}", customer())
    billing.set(latency_ms=400)
    process = subprocess.Popen(
        [sys.executable, "-m", "aimeter_cli", "sync-stripe-overages", "--format", "json", *NOW],
        env={**os.environ, "AI_METERING_STRIPE_CONCURRENCY": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    _wait_for_first_request(billing)
    process.send_signal(signal.Signals[name])
    out, err = process.communicate(timeout=60)
    billing.set(latency_ms=0)
    assert process.returncode == code, err
    assert "interrupted; what was in flight has been settled" in err
    settled = json.loads(out)["synced"]
    assert 1 <= settled < 6
    assert len(billing.items()) == settled
    assert sync(cli).json["synced"] == 6 - settled
    assert [item["amount"] for item in billing.items()] == [1000] * 6


def _wait_for_first_request(billing: SandboxControl) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if any(row["path"] == "/v1/invoiceitems" for row in billing.ledger()):
            return
        time.sleep(0.02)
    pytest.fail("the sync sent nothing")


def test_every_run_is_seen_by_the_doctor(
    cli: Cli, billing: SandboxControl, customer: Callable[[], str]
) -> None:
    def check(name: str) -> dict[str, Any]:
        checks = cli("doctor", "--format", "json").json
        found = [entry for entry in checks if entry["name"] == name]
        assert isinstance(found[0], dict)
        return found[0]

    assert check("last sync")["status"] == "warning"
    owe(cli, customer=customer())
    sync(cli)
    assert check("last sync")["status"] == "ok"
    assert check("stripe account")["status"] == "ok"
    assert check("overages")["status"] == "ok"


def test_the_doctor_says_which_overage_is_blocked_and_what_to_type(
    cli: Cli, billing: SandboxControl
) -> None:
    owe(cli)
    done = cli("doctor", "--format", "json")
    blocked = [entry for entry in done.json if entry["name"] == "overages"]
    assert done.code == 1
    assert blocked == [{
        "name": "overages", "status": "failed",
        "detail": "1 cannot be sent: no_customer: user:42",
        "hint": "aimeter subscriptions set-stripe-ids user:42 --customer cus_…",
    }]  # fmt: skip


def test_an_import_with_bad_lines_keeps_the_good_ones_and_exits_3(cli: Cli, tmp_path: Path) -> None:
    owe(cli)
    good = {
        "billable": "user:42", "provider": "openai", "model": "m", "input_tokens": 1000,
        "cost": "0.001", "occurred_at": "2026-11-10T00:00:00Z",
    }  # fmt: skip
    file = tmp_path / "usage.jsonl"
    file.write_text("\n".join([json.dumps(good), "{", json.dumps({**good, "model": "n"})]))
    rehearsed = cli("usage", "import", file, "--dry-run", *NOW)
    assert "1 bad line(s), the others would be kept" in rehearsed.err
    done = cli("usage", "import", file, "--format", "json", *NOW)
    assert (done.code, done.json["recorded"], done.json["bad"]) == (3, 2, 1)
    assert done.json["errors"][0]["line"] == 2
    assert f"{file}: 1 bad line(s), the others were kept" in done.err
    file.rename(tmp_path / "renamed.jsonl")
    again = cli("usage", "import", tmp_path / "renamed.jsonl", "--format", "json", *NOW)
    assert (again.json["recorded"], again.json["repeated"]) == (0, 2)


def test_costs_come_from_the_prices_of_the_configuration(cli: Cli, isolated: Path) -> None:
    (isolated / "aimeter.toml").write_text(
        '[prices.openai."gpt-4o-mini"]\ninput_per_1m = "0.15"\noutput_per_1m = "0.60"\n'
    )
    done = cli(
        "usage", "record", "--billable", "user:1", "--provider", "openai",
        "--model", "gpt-4o-mini", "--input-tokens", "2,000,000", "--output-tokens", "500,000",
        "--format", "json",
    )  # fmt: skip
    assert (done.json["cost"], done.json["state"]) == ("0.600000000", "priced")


def test_a_bad_price_names_its_key(cli: Cli, isolated: Path) -> None:
    (isolated / "aimeter.toml").write_text('[prices.openai."m"]\ninput_per_1m = "cheap"\n')
    done = use(cli)
    assert (done.code, done.out) == (4, "")
    assert "prices.openai.\"m\".input_per_1m: 'cheap' is not a decimal number" in done.err


def test_waiving_asks_and_needs_yes_off_a_terminal(cli: Cli) -> None:
    owe(cli)
    refused = cli("overages", "waive", "1", "--reason", "goodwill")
    assert (refused.code, refused.out) == (2, "")
    done = cli("overages", "waive", "1", "--reason", "goodwill", "--yes", "--format", "json")
    assert [row["status"] for row in done.json] == ["waived"]


@pytest.mark.parametrize("args", [(), ("1", "--all")])
def test_retry_wants_ids_or_all(cli: Cli, args: tuple[str, ...]) -> None:
    done = cli("overages", "retry", *args)
    assert (done.code, done.out) == (2, "")
    assert "expected either ID… or --all" in done.err


def test_listing_overages_loads_neither_stripe_nor_alembic(cli: Cli) -> None:
    owe(cli)
    loaded = loaded_modules("overages", "list", "--unsynced")
    assert not loaded & {"stripe", "alembic", "rich", "requests"}
    assert "aimeter_cli.services.overages.listing" in loaded


def test_csv_taken_for_json_lines_is_told_how_to_be_read(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "usage.txt"
    file.write_text("billable,provider,model,occurred_at\nuser:1,p,m,2026-11-10T00:00:00Z\n")
    done = cli("usage", "import", file, *NOW)
    assert done.code == 3
    assert "If it is CSV: --input-format csv" in done.err
    assert cli("usage", "import", file, "--input-format", "csv", *NOW).code == 0


def test_a_month_that_is_none_is_named_as_it_was_typed(cli: Cli) -> None:
    done = cli("overages", "list", "--period", "2026-13")
    assert (done.code, done.out) == (2, "")
    assert "--period: '2026-13' is no month such as 2026-10" in done.err


def test_a_closed_standard_output_is_told_plainly(isolated: Path, cli: Cli) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m aimeter_cli overages list >&-"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, "standard output is closed" in done.stderr) == (1, True)


def test_ctrl_c_in_an_import_says_how_far_it_is_and_that_it_goes_on(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "usage.jsonl"
    line = {"billable": "user:1", "provider": "p", "model": "m", "cost": "0.1",
            "occurred_at": "2026-11-01T00:00:00Z"}  # fmt: skip
    file.write_text("\n".join(json.dumps({**line, "idempotency_key": str(n)}) for n in range(3)))
    monkeypatch.setattr("aimeter_cli.services.recording.import_file.BATCH", 2)
    check = "aimeter_cli.services.recording.import_file.check_not_future"
    with monkeypatch.context() as patch:
        calls = iter([None, None, KeyboardInterrupt()])

        def interrupted(*_: object) -> None:
            error = next(calls)
            if error is not None:
                raise error

        patch.setattr(check, interrupted)
        stopped = cli("usage", "import", file, "--format", "json", *NOW)
    assert (stopped.code, stopped.json["recorded"]) == (130, 2)
    assert "2 of the 3 lines read so far are recorded. The same command goes on" in stopped.err
    again = cli("usage", "import", file, "--format", "json", *NOW)
    assert (again.code, again.json["recorded"], again.json["repeated"]) == (0, 1, 2)
