"""``make check-browser`` never passes without a browser."""

from __future__ import annotations

import pytest

from tests.browser import __main__ as check
from tests.browser.chromium import NoBrowser, found


def test_without_a_browser_it_fails_and_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("sys.argv", ["check"])
    assert check.main() == 1
    assert "apt-get install chromium" in capsys.readouterr().err


def test_a_browser_that_was_named_and_is_not_there_is_not_replaced_by_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHROMIUM", "/nowhere/chrome")
    with pytest.raises(NoBrowser, match="CHROMIUM="):
        found()
