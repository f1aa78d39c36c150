"""An alert gets to a command with JSON and a text, and to Slack without anything from outside being
read as markup; the address of Slack is nowhere to be seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from aimeter_cli.domain.events import EventName
from aimeter_cli.domain.references import BillableRef
from aimeter_cli.errors import AimeterError, ConfigurationError, NotFound
from aimeter_cli.models.registry import METADATA
from aimeter_cli.repositories.billables import get_or_create_billable
from aimeter_cli.repositories.outbox import emit
from aimeter_cli.services.alerts.listing import send_test
from aimeter_cli.services.events.deliver import DeliveryReport, deliver
from aimeter_cli.signals import StopFlag
from tests.conftest import NOW
from tests.support.receiver import Receiver
from tests.support.watch import Watch

SECRET = "T00/B00/averysecrettoken"
HOSTILE = "user:<!channel>&*x*\u202e\u2028\x1b[31m\nRESOLVED"
SLACK = {"name": "ops", "slack_env": "SLACK_URL", "wallet_low": "5"}


@pytest.fixture
def slack(
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> Receiver:
    monkeypatch.setenv("SLACK_URL", f"{receiver.url}/{SECRET}")
    return receiver


def sent(watch: Watch, **options: Any) -> DeliveryReport:
    return deliver(
        watch.database, watch.settings, now=watch.now, limit=100, stop=StopFlag(), **options
    )


def texts(slack: Receiver) -> list[str]:
    return [json.loads(body)["text"] for _, body in slack.got]


def happened(watch: Watch, name: EventName, ref: str = "user:42", **payload: Any) -> None:
    kind, _, ident = ref.partition(":")
    with watch.database.write() as session:
        billable = get_or_create_billable(session, BillableRef(kind, ident), NOW)
        emit(session, name, billable_id=billable.id, now=NOW, payload=payload)


def test_slack_gets_a_text_and_each_alert_once(watch: Watch, slack: Receiver) -> None:
    watch.alerts(SLACK | {"kinds": ["wallet_low"]})
    watch.bank.add("4")
    watch.check()
    assert sent(watch).delivered == 1
    assert texts(slack) == [
        (
            "[aimeter] ALERT wallet_low: the wallet of user:42 has 4.00 USD, below 5.00 USD "
            "(since 2026-11-15T12:00:00Z)\naimeter credits add user:42 AMOUNT"
        )
    ]
    assert slack.got[0][0]["Content-Type"] == "application/json"
    watch.check(minutes=10)
    assert sent(watch).selected == 0
    watch.bank.add("4")
    watch.check(minutes=1)
    watch.check(minutes=30)
    sent(watch)
    assert texts(slack)[1:] == [
        (
            "[aimeter] RESOLVED wallet_low: the wallet of user:42 has 4.00 USD, below 5.00 USD "
            "(since 2026-11-15T12:00:00Z)"
        )
    ]


def test_what_happens_once_is_told_as_it_happens_and_opens_nothing(
    watch: Watch, slack: Receiver
) -> None:
    watch.alerts(SLACK)
    happened(
        watch, EventName.PAYMENT_FAILED, invoice_id="in_1",
        grace_period_ends_at="2026-11-22T12:00:00Z", next_payment_attempt=None,
    )  # fmt: skip
    happened(watch, EventName.SUBSCRIPTION_EXPIRED, expired_at="2026-11-22T12:00:00Z")
    limit: dict[str, Any] = {"plan": "pro", "kind": "tokens", "used": 8000, "limit": 10_000}
    limit["percent"] = 80
    happened(watch, EventName.LIMIT_APPROACHING, currency=None, **limit)
    cost = {"used": "30.000000000", "limit": "30.000000000", "percent": 100, "currency": "usd"}
    happened(watch, EventName.LIMIT_REACHED, **limit | {"kind": "cost"} | cost)
    happened(watch, EventName.PLAN_CHANGED)
    assert sent(watch).delivered == 4
    assert texts(slack) == [
        "[aimeter] payment of invoice in_1 failed: user:42; grace until 2026-11-22T12:00:00Z",
        (
            "[aimeter] the subscription of user:42 has expired: grace ended 2026-11-22T12:00:00Z\n"
            "aimeter subscriptions show user:42"
        ),
        (
            "[aimeter] user:42 approaches a limit of pro: 8,000 of 10,000 tokens, 80 %\n"
            "aimeter usage check user:42"
        ),
        (
            "[aimeter] user:42 has reached a limit of pro: 30.00 of 30.00 USD, 100 %\n"
            "aimeter usage check user:42"
        ),
    ]
    assert watch.rows == []


def test_text_from_outside_is_no_markup_and_begins_no_line_of_its_own(
    watch: Watch, slack: Receiver
) -> None:
    watch.alerts(SLACK | {"kinds": ["payment_failed"]})
    happened(watch, EventName.PAYMENT_FAILED, ref=HOSTILE, invoice_id="<https://evil|in_1>")
    sent(watch)
    assert texts(slack) == [
        (
            "[aimeter] payment of invoice &lt;https://evil|in_1&gt; failed: "
            "user:&lt;!channel&gt;&amp;*x*   [31m RESOLVED"
        )
    ]


def test_only_the_kinds_that_are_wanted_are_delivered(watch: Watch, slack: Receiver) -> None:
    watch.alerts(SLACK | {"kinds": ["limit_reached"]})
    happened(watch, EventName.PAYMENT_FAILED, invoice_id="in_1")
    assert sent(watch).selected == 0


def test_an_alert_is_delivered_to_those_for_whom_it_was_raised_and_to_event_sinks(
    watch: Watch,
) -> None:
    low = {"kinds": ["wallet_low"]}
    watch.alerts(low | {"name": "sales", "wallet_low": "50"}, low | {"name": "ops"})
    watch.bank.add("20")
    watch.check()
    assert [each.sink for each in sent(watch).deliveries] == ["sales"]


def test_a_command_gets_json_with_a_text(watch: Watch, tmp_path: Path) -> None:
    got = tmp_path / "got"
    watch.alerts(
        {"kinds": ["wallet_low"], "wallet_low": "5", "command": ["/bin/sh", "-c", f"cat > {got}"]}
    )
    watch.bank.add("4", ref=BillableRef("user", "$(touch pwned)`x`'\"\n;"))
    watch.check()
    assert sent(watch).delivered == 1
    told = json.loads(got.read_text())
    assert told["name"] == "AlertRaised"
    assert told["billable"] == "user:$(touch pwned)`x`'\"\n;"
    assert told["data"]["facts"]["balance"] == "4.000000000"
    assert told["text"].startswith(
        "[aimeter] ALERT wallet_low: the wallet of user:$(touch pwned)`x"
    )
    assert told["text"].count("\n") == 1
    assert not (tmp_path / "pwned").exists()


def test_slack_that_fails_is_tried_again(watch: Watch, slack: Receiver) -> None:
    watch.alerts(SLACK | {"kinds": ["wallet_low"]})
    watch.bank.add("4")
    watch.check()
    slack.answers[0] = 500
    assert [each.error for each in sent(watch).deliveries] == ["answered 500"]
    slack.answers.clear()
    watch.world.execute("UPDATE ai_event_deliveries SET not_before = created_at FROM"
                        " ai_domain_events WHERE ai_domain_events.id = event_id")  # fmt: skip
    assert sent(watch).delivered == 1


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("", "alert ops: SLACK_URL is not set"),
        (f"ftp://x/{SECRET}", r"alert ops: SLACK_URL holds no http\(s\) address$"),
    ],
)
def test_without_an_address_nothing_is_delivered_and_it_is_said(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, address: str, told: str
) -> None:
    monkeypatch.setenv("SLACK_URL", address)
    watch.alerts(SLACK)
    with pytest.raises(ConfigurationError, match=told):
        sent(watch)


@pytest.mark.parametrize(
    ("address", "error"),
    [
        ("http://127.0.0.1:1/", "ConnectionError"),
        ("http://127.0.0.1:99999/", "InvalidURL"),
        ("http://" + "x" * 80 + "/", "LocationParseError"),
    ],
)
def test_an_address_that_does_not_answer_is_not_repeated(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, address: str, error: str
) -> None:
    monkeypatch.setenv("SLACK_URL", address + SECRET)
    watch.alerts(SLACK)
    with pytest.raises(AimeterError, match=rf"did not get to \$SLACK_URL: {error}$"):
        send_test(watch.settings, "ops", now=NOW, dry_run=False)


def test_the_address_is_in_no_row(watch: Watch, slack: Receiver) -> None:
    watch.alerts(SLACK | {"kinds": ["wallet_low"]})
    watch.bank.add("4")
    watch.check()
    slack.answers[0] = 500
    sent(watch)
    assert len(slack.got) == 1
    with watch.database.read() as session:
        for table in METADATA.tables:
            rows = session.connection().execute(text(f"SELECT * FROM {table}")).all()
            assert SECRET not in repr(rows), table


def test_a_test_alert_is_really_sent_and_leaves_no_row(watch: Watch, slack: Receiver) -> None:
    watch.alerts(SLACK)
    shown = send_test(watch.settings, "ops", now=NOW, dry_run=True)
    assert (slack.got, shown.is_delivered) == ([], False)
    shown = send_test(watch.settings, "ops", now=NOW, dry_run=False)
    assert texts(slack) == [shown.text] == [
        ("[aimeter] ALERT test: this is a test of [[alerts]] ops; nothing is wrong "
        "(since 2026-11-15T12:00:00Z)")
    ]  # fmt: skip
    assert (shown.to, shown.is_delivered) == ("$SLACK_URL", True)
    assert (watch.rows, watch.events) == ([], [])
    with pytest.raises(NotFound, match="there is no alert 'nobody': ops"):
        send_test(watch.settings, "nobody", now=NOW, dry_run=False)
