"""``inbox.receive`` at an application's own endpoint."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aimeter_cli import configure, inbox
from aimeter_cli.errors import ConfigurationError
from aimeter_cli.metering import runtime
from aimeter_cli.models.installation import Installation
from tests.webhooks.conftest import World
from tests.webhooks.doors.signing import SECRET, signed
from tests.webhooks.payloads import renewal

RAW = json.dumps(renewal()).encode()
README = Path(__file__).resolve().parents[3] / "README.md"


@pytest.fixture
def configured(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", f"whsec_next, {SECRET}")
    made = configure(overrides={"database_url": f"sqlite:///{world.database.file}"})
    yield world
    made.close()
    monkeypatch.setattr(runtime, "_default", None)


def test_a_signed_delivery_is_stored_and_handled_once(configured: World) -> None:
    header = signed(RAW, time.time())
    first, second = inbox.receive(RAW, header), inbox.receive(RAW, header)
    assert (first.event_id, first.type) == (renewal()["id"], "customer.subscription.updated")
    assert (first.status, second.status) == ("processed", "duplicate")
    assert configured.subscription().renews_at is not None
    assert len(configured.stored()) == 1


def test_a_bad_signature_is_an_error_of_its_own_and_counted(configured: World) -> None:
    for header in (None, signed(RAW, time.time() - 301), signed(RAW, time.time(), "whsec_else")):
        with pytest.raises(inbox.BadSignature):
            inbox.receive(RAW, header)
    assert configured.stored() == []
    with configured.database.read() as session:
        assert session.get_one(Installation, 1).deliveries_refused == 1  # once a minute


def test_what_is_too_large_is_refused_before_anything_else(configured: World) -> None:
    with pytest.raises(inbox.BodyTooLarge):
        inbox.receive(b" " * (512 * 1024 + 1), None)


def test_signed_rubbish_is_kept_and_no_error(configured: World) -> None:
    received = inbox.receive(b"rubbish", signed(b"rubbish", time.time()))
    assert (received.status, received.type) == ("quarantined", "unknown")
    assert received.error == "not a Stripe event: it is no JSON"


def test_without_a_secret_it_is_refused(configured: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STRIPE_WEBHOOK_SECRET")
    configure(overrides={"database_url": f"sqlite:///{configured.database.file}"})
    with pytest.raises(ConfigurationError, match="STRIPE_WEBHOOK_SECRET"):
        inbox.receive(RAW, signed(RAW, time.time()))


def test_the_example_of_the_readme_takes_deliveries(configured: World) -> None:
    from starlette.testclient import TestClient

    names: dict[str, Any] = {}
    section = README.read_text().partition("## Stripe's events")[2].partition("\n## ")[0]
    [example] = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    exec(example, names)
    client = TestClient(names["app"])
    header = {"stripe-signature": signed(RAW, time.time())}
    assert client.post("/stripe/webhook", content=RAW, headers=header).status_code == 200
    assert client.post("/stripe/webhook", content=RAW + b" ", headers=header).status_code == 400
    assert [each.status for each in configured.stored()] == ["processed"]


@pytest.mark.parametrize("wrong", ["sk_test_key", "we_1Endpoint", "whsec_a b", "foo", "whsec_",
                                   "whsec_a,foo"])  # fmt: skip
def test_what_is_no_signing_secret_is_refused_without_being_shown(
    configured: World, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", wrong)
    with pytest.raises(ConfigurationError) as refused:
        _ = configure().settings
    assert "STRIPE_WEBHOOK_SECRET" in refused.value.message
    assert wrong not in refused.value.message
