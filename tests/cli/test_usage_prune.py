"""``aimeter usage prune`` and ``billables anonymize`` from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import Cli, Result

AT = ("--as-of", "2022-11-15T12:00:00Z")
LATER = ("--as-of", "2023-12-01T18:00:00Z")
PRUNE = ("usage", "prune", "--older-than", "365d", *LATER)


def use(cli: Cli, count: int = 1, *more: str) -> None:
    lines = "\n".join(
        json.dumps({"billable": f"user:{n % 7}", "provider": "p", "model": "m", "cost": "0.1",
                    "occurred_at": "2022-11-01T00:00:00Z", "idempotency_key": str(n)})
        for n in range(count)
    )  # fmt: skip
    with open("old.jsonl", "w") as file:
        file.write(lines)
    assert cli("usage", "import", "old.jsonl", *AT, *more).code == 0


def test_it_asks_on_a_terminal_and_does_not_off_it(cli: Cli) -> None:
    use(cli)
    off = cli(*PRUNE)
    assert (off.code, off.out) == (2, "")
    assert off.err == (
        "error: Replace 1 usages by daily sums, for good? There is nobody to ask.\n"
        "hint: Add --yes to agree.\n"
    )
    declined = cli(*PRUNE, terminal=True, stdin="n\n")
    assert declined.code == 1
    assert cli(*PRUNE, "--dry-run", "--format", "json").json["pruned"] == 1
    assert cli(*PRUNE, terminal=True, stdin="y\n").code == 0
    assert cli(*PRUNE, "--dry-run", "--format", "json").json["pruned"] == 0
    assert cli(*PRUNE).code == 0  # nothing to do: nothing to ask


def test_its_report_says_what_went_and_why_others_stay(cli: Cli) -> None:
    use(cli, 3)
    cli("usage", "record", "--billable", "user:9", "--provider", "p", "--model", "unknown", *AT)
    done = cli(*PRUNE, "--yes", "--format", "json")
    assert done.json == {
        "dry_run": False, "before": "2022-12-01T00:00:00Z", "pruned": 3, "daily_sums": 3,
        "kept": [{"reason": "unpriced", "count": 1,
                  "because": "without a price: aimeter usage reprice"}],
    }  # fmt: skip
    assert cli("status", "--format", "json").json["jobs"][-1]["command"] == "usage prune"


def test_the_setting_says_when_and_0_is_never(cli: Cli) -> None:
    use(cli)
    never = cli("usage", "prune", *LATER, "--yes")
    assert never.code == 0
    assert never.err == "prune_after_days is 0: nothing is pruned. Give --older-than 365d.\n"
    done = cli("usage", "prune", *LATER, "--yes", "--format", "json",
               env={"AI_METERING_PRUNE_AFTER_DAYS": "365"})  # fmt: skip
    assert (done.code, done.json["pruned"]) == (0, 1)


@pytest.mark.parametrize(
    ("age", "told"),
    [
        ("soon", "error: --older-than: expected a duration such as '7d' or '12h', got 'soon'\n"),
        ("5d", ("error: --older-than: 5d is too short: usage may come late by 35d "
         "(late_usage_days), and then it must be known what was recorded\n"
         "hint: Give at least 35d.\n")),
    ],
)  # fmt: skip
def test_a_bad_age_is_wrong_usage(age: str, told: str, cli: Cli) -> None:
    done = cli("usage", "prune", "--older-than", age)
    assert (done.code, done.err) == (2, told)


def test_a_file_that_was_pruned_is_refused_line_by_line(cli: Cli) -> None:
    use(cli, 2)
    cli(*PRUNE, "--yes")
    again = cli("usage", "import", "old.jsonl", *LATER, "--format", "json")
    assert (again.code, again.json["recorded"], again.json["bad"]) == (3, 0, 2)
    assert "lies before 2022-12-01T00:00:00Z" in again.json["errors"][0]["reason"]


def test_sigterm_ends_it_between_two_batches_with_143(cli: Cli) -> None:
    use(cli, 400)
    process = subprocess.Popen(
        [sys.executable, "-m", "aimeter_cli", *PRUNE, "--yes", "--batch-size", "1", "--format",
         "json"],
        env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while _left(cli) == 400 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    report = json.loads(out)
    assert (process.returncode, err.startswith("error: interrupted")) == (143, True)
    assert 0 < report["pruned"] < 400
    assert report["pruned"] + _left(cli) == 400


def _left(cli: Cli) -> int:
    return int(cli(*PRUNE, "--dry-run", "--format", "json").json["pruned"])


def anonymize(cli: Cli, *more: str, **options: object) -> Result:
    return cli("billables", "anonymize", "user:42", *more, *AT, **options)


def test_anonymising_asks_and_says_what_is_left_to_do(cli: Cli) -> None:
    cli("billables", "create", "user:42", "--name", "Ada", "--stripe-customer", "cus_1")
    assert anonymize(cli).err == (
        "error: Remove for good who user:42 is? There is nobody to ask.\n"
        "hint: Add --yes to agree.\n"
    )
    assert anonymize(cli, terminal=True, stdin="n\n").code == 1
    assert cli("billables", "show", "user:42", "--format", "json").json["name"] == "Ada"
    rehearsed = anonymize(cli, "--dry-run", "--format", "json")
    assert rehearsed.json["billable"] == "user:anon-…"
    done = anonymize(cli, "--yes", "--format", "json")
    assert list(done.json) == [
        "billable", "is_new", "anonymized_at", "stripe_customer_id", "usages", "webhook_events",
        "domain_events", "sync_attempts",
    ]  # fmt: skip
    assert done.err == "Stripe still knows them: delete cus_1 there.\n"
    [left] = cli("billables", "list", "--format", "json").json
    assert left == {
        "id": 1, "billable": done.json["billable"], "email": None, "name": None,
        "currency": None, "stripe_customer_id": "cus_1", "created_at": left["created_at"],
        "anonymized_at": "2022-11-15T12:00:00Z",
    }  # fmt: skip
    again = cli("billables", "anonymize", left["billable"], "--yes")
    assert again.code == 0
    assert "was anonymised before" in again.err
    assert anonymize(cli, "--yes").code == 1


def test_the_help_says_what_is_kept(cli: Cli) -> None:
    told = " ".join(cli("billables", "anonymize", "--help").out.split())
    assert "Kept: amounts, tokens, times, models" in told


def test_a_time_that_has_not_come_prunes_nothing(cli: Cli) -> None:
    """Usage that is younger would be refused from then on, for good."""
    use(cli)
    future = ("usage", "prune", "--older-than", "365d", "--as-of", "2999-12-01")
    refused = cli(*future, "--yes")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith("error: --as-of: 2999-12-01T00:00:00Z has not come yet: ")
    assert cli(*future, "--dry-run", "--format", "json").json["pruned"] == 1
    use(cli, 2)  # is taken as before
    assert cli(*PRUNE, "--dry-run", "--format", "json").json["pruned"] == 2
