"""A key of another mode or account than the rows were made with is refused, before anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from aimeter_cli.billing.base import Account
from aimeter_cli.billing.registry import make_driver
from aimeter_cli.billing.stripe import StripeDriver
from aimeter_cli.errors import ConfigurationError
from aimeter_cli.models.installation import Installation
from aimeter_cli.sandbox.process import running
from aimeter_cli.services.audit.run import run_audit
from tests.support.world import World


def owing(world: World) -> World:
    world.subscriber(plan=world.plan())
    world.use(501_000)
    return world


def asked(world: World) -> int:
    return sum(entry["path"] == "/v1/account" for entry in world.sandbox.ledger())


def here(world: World) -> Installation:
    [row] = world.rows(Installation)
    assert isinstance(row, Installation)
    return row


def test_the_account_is_asked_for_once_and_remembered(world: World) -> None:
    world.settings = replace(world.settings, stripe_api_base="")  # as if it were Stripe itself
    owing(world)
    assert here(world).stripe_account is None
    world.sync()
    bound = here(world)
    assert (bound.stripe_account or "").startswith("acct_")
    assert bound.stripe_livemode is False
    world.use(1000)
    world.sync()
    assert asked(world) == 1


def test_another_sandbox_behind_the_same_address_is_noticed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    owing(world).sync()
    world.use(100_000)
    other = Account("acct_other", livemode=False)
    with monkeypatch.context() as patch:
        patch.setattr(StripeDriver, "account", lambda _: other)
        report = world.sync()
    assert (report.exit_code, world.statuses()) == (4, ["synced", "open"])
    world.sandbox.add_fault("reset:path=/v1/account,times=1")
    assert world.sync().synced == 1  # nobody tells, and it was right before


def test_the_audit_asks_no_other_account(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    owing(world).sync()
    assert run_audit(world.database, driver=world.driver).adds_up
    other = Account("acct_other", livemode=False)
    monkeypatch.setattr(StripeDriver, "account", lambda _: other)
    with pytest.raises(ConfigurationError, match="belongs to acct_other"):
        run_audit(world.database, driver=world.driver)


def test_nothing_of_the_key_is_in_the_database(world: World) -> None:
    owing(world).sync()
    kept = here(world).stripe_key_hash or ""
    assert len(kept) == 32
    assert "world" not in kept


def test_an_idle_run_asks_nobody(world: World) -> None:
    assert world.sync().exit_code == 0
    assert world.sandbox.ledger() == []


def test_another_key_of_the_same_account_is_welcome(world: World) -> None:
    owing(world).sync()
    world.use(100_000)
    world.settings = replace(world.settings, stripe_api_key="rk_test_rotated")
    world.driver = make_driver(world.settings)
    before = here(world).stripe_key_hash
    assert world.sync().synced == 1
    assert here(world).stripe_key_hash != before


def test_another_account_is_refused_and_nothing_is_sent_or_held(world: World) -> None:
    owing(world).sync()
    world.use(100_000)
    with running() as other:
        settings = replace(world.settings, stripe_api_base=other.url)
        good, world.settings = world.settings, settings
        world.driver, first = make_driver(settings), world.driver
        report = world.sync()
        assert isinstance(report.error, ConfigurationError)
        assert report.exit_code == 4
        assert "the rows of this database were made with acct_" in report.error.message
        assert [entry["path"] for entry in other.ledger()] == ["/v1/account"]
        world.driver.close()
    world.settings, world.driver = good, first
    assert world.statuses() == ["synced", "open"]
    assert world.sync().exit_code == 0
    assert world.charged() == [1200]


def test_the_other_mode_is_refused_without_asking(world: World) -> None:
    owing(world).sync()
    world.execute("UPDATE ai_installation SET stripe_livemode = true")
    before = len(world.sandbox.ledger())
    with pytest.raises(ConfigurationError, match=r"test mode, .* made in live mode"):
        world.sync()
    assert len(world.sandbox.ledger()) == before


def test_when_nobody_tells_whose_a_new_key_is_nothing_is_begun(world: World) -> None:
    owing(world).sync()
    world.use(100_000)
    world.execute("UPDATE ai_installation SET stripe_key_hash = 'of another key'")
    world.sandbox.add_fault("reset:path=/v1/account,times=1")
    report = world.sync()
    assert (report.exit_code, report.remaining) == (3, 1)
    assert world.statuses() == ["synced", "open"]
    assert world.sync().synced == 1


def test_a_first_key_is_used_even_if_nobody_tells_whose_it_is(world: World) -> None:
    owing(world)
    world.sandbox.add_fault("reset:path=/v1/account,times=1")
    assert world.sync().synced == 1
    assert here(world).stripe_account is None
    world.use(100_000)
    world.sync()
    assert here(world).stripe_account is not None


@pytest.mark.parametrize(("known", "refused"), [(False, False), (True, True)])
def test_a_key_that_may_not_ask_is_used_only_where_no_account_is_known(
    world: World, monkeypatch: pytest.MonkeyPatch, *, known: bool, refused: bool
) -> None:
    owing(world)
    if known:
        world.sync()
        world.use(100_000)
        world.execute("UPDATE ai_installation SET stripe_key_hash = 'of another key'")
    nobody: Callable[[StripeDriver], Account] = lambda _: Account(None, livemode=False)  # noqa: E731
    monkeypatch.setattr(StripeDriver, "account", nobody)
    report = world.sync()
    assert (report.exit_code == 4) is refused
    assert (report.synced == 1) is not refused
    assert here(world).stripe_livemode is False
