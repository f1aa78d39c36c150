"""A list of a billable that there is not says so, and whom it may have meant."""

from __future__ import annotations

import pytest

from tests.conftest import Cli


@pytest.mark.parametrize("noun", ["overages", "subscriptions"])
def test_an_empty_list_of_nobody_suggests_somebody(noun: str, cli: Cli) -> None:
    cli("billables", "create", "user:42")
    mistyped = cli(noun, "list", "--billable", "usr:42")
    assert (mistyped.code, mistyped.out) == (0, "")
    assert mistyped.err.endswith("matches. There is no billable usr:42. Did you mean user:42?\n")
    assert cli(noun, "list", "--billable", "user:42").err.endswith("matches.\n")
    assert cli(noun, "list", "--billable", "usr:42", "--format", "json").json == []


def test_a_check_of_nobody_says_so(cli: Cli) -> None:
    cli("billables", "create", "user:42")
    checked = cli("usage", "check", "usr:42")
    assert (checked.code, "Did you mean user:42?" in checked.err) == (0, True)
    assert "Did you mean" not in cli("usage", "check", "user:42").err
