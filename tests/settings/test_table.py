"""One table of settings: the example file, the variables and the defaults follow from it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from aimeter_cli.settings.example import example_toml
from aimeter_cli.settings.load import load_settings
from aimeter_cli.settings.secrets import masked, redacted
from aimeter_cli.settings.table import ROWS, Settings


def test_the_example_sets_nothing_until_a_line_is_uncommented() -> None:
    assert tomllib.loads(example_toml()) == {}


def test_the_example_uncommented_is_a_valid_configuration(tmp_path: Path) -> None:
    settings = re.findall(r"^# (\[.+\]|\w+ = .+)$", example_toml(), re.MULTILINE)
    file = tmp_path / "example.toml"
    file.write_text("\n".join(settings))
    loaded = load_settings(config=file, environ={}, cwd=tmp_path)
    named = {row.key for row in ROWS if not row.setting.secret}
    assert {key for key, source in loaded.sources.items() if source != "default"} == named


def test_active_keys_are_not_commented_out() -> None:
    document = tomllib.loads(example_toml({"currency": '"eur"', "billing_driver": '"stripe"'}))
    assert document == {"currency": "eur", "billing": {"driver": "stripe"}}


@pytest.mark.parametrize(
    "name",
    "BILLING_DRIVER CURRENCY OVERAGE_BEHAVIOR OVERAGE_SYNC_STRATEGY PAYMENT_FAILURE_GRACE_PERIOD "
    "PERIOD_TYPE PERIOD_ALIGNMENT TIMEZONE DATABASE_URL LEASE_SECONDS STRIPE_TIMEOUT_SECONDS "
    "STRIPE_REQUESTS_PER_SECOND".split(),
)
def test_the_names_of_the_guide_stay(name: str) -> None:
    assert f"AI_METERING_{name}" in {row.variable for row in ROWS}


def test_no_two_settings_share_a_name() -> None:
    for names in ([r.key for r in ROWS], [r.path for r in ROWS], [r.variable for r in ROWS]):
        assert len(set(names)) == len(names)
    assert {row.key for row in ROWS} == set(Settings.__dataclass_fields__)


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ("", ""),
        ("sk_test_short", "***"),
        ("sk_test_51Habcdefghijklmnop", "sk_test_…mnop"),
        ("rk_live_51Habcdefghijklmnop", "rk_live_…mnop"),
        ("whsec_abcdefghijklmnopqrstuv", "whsec_…stuv"),
        ("Abcdefghijklmnopqrstuvwxyz", "…wxyz"),
    ],
)
def test_a_secret_is_shown_by_its_ends(secret: str, shown: str) -> None:
    assert masked(secret) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("key sk_test_51Habc failed", "key *** failed"),
        ("whsec_ab+c/d= x", "*** x"),
        ("postgresql+psycopg://me:p%40ss@h:5/d?x=1", "postgresql+psycopg://me:***@h:5/d?x=1"),
        ("an own-secret here", "an *** here"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_secrets_inside_a_text_are_hidden(text: str, shown: str) -> None:
    assert redacted(text, ["own-secret"]) == shown
