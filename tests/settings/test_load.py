"""CLI option > environment > .env > aimeter.toml > default; a fault says where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aimeter_cli.errors import ConfigurationError
from aimeter_cli.settings.load import Loaded, load_settings


def _load(
    folder: Path,
    toml: str | None = None,
    dotenv: str | None = None,
    environ: Mapping[str, str] | None = None,
    **options: Any,
) -> Loaded:
    if toml is not None:
        (folder / "aimeter.toml").write_text(toml)
    if dotenv is not None:
        (folder / ".env").write_text(dotenv)
    return load_settings(environ=environ or {}, cwd=folder, **options)


def test_without_any_source_the_defaults_hold(tmp_path: Path) -> None:
    loaded = _load(tmp_path)
    assert loaded.file is None
    assert loaded.settings.currency == "usd"
    assert loaded.settings.database_url == f"sqlite:///{tmp_path}/home/aimeter/aimeter.db"
    assert set(loaded.sources.values()) == {"default"}


SOURCES: list[tuple[dict[str, Any], str, str]] = [
    ({}, "usd", "default"),
    ({"toml": 'currency = "eur"'}, "eur", "{folder}/aimeter.toml:1"),
    (
        {"toml": 'currency = "eur"', "dotenv": "AI_METERING_CURRENCY=gbp"},
        "gbp",
        "{folder}/.env AI_METERING_CURRENCY",
    ),
    (
        {
            "toml": 'currency = "eur"',
            "dotenv": "AI_METERING_CURRENCY=gbp",
            "environ": {"AI_METERING_CURRENCY": "jpy"},
        },
        "jpy",
        "environment AI_METERING_CURRENCY",
    ),
    (
        {
            "dotenv": "AI_METERING_CURRENCY=gbp",
            "environ": {"AI_METERING_CURRENCY": "jpy"},
            "overrides": {"currency": "chf"},
        },
        "chf",
        "--currency",
    ),
    (
        {"toml": 'currency = "eur"', "environ": {"AI_METERING_CURRENCY": ""}},
        "eur",
        ("{folder}/aimeter.toml:1"),
    ),
]


@pytest.mark.parametrize(("given", "currency", "source"), SOURCES)
def test_the_nearer_source_wins(
    given: dict[str, Any], currency: str, source: str, tmp_path: Path
) -> None:
    loaded = _load(tmp_path, **given)
    assert loaded.settings.currency == currency
    assert loaded.sources["currency"] == source.format(folder=tmp_path)


def test_keys_stand_at_the_top_or_in_their_section(tmp_path: Path) -> None:
    loaded = _load(
        tmp_path,
        "stripe_concurrency = 4\n"
        "[stripe]\ntimeout_seconds = 30\n"
        '[billing]\ndriver = "stripe"\n'
        '[period]\ntype = "weekly"\nalignment = "rolling"\n'
        "[currency_rates]\nusd_eur = 0.85\n"
        '[stripe.invoice_item]\ntax_behavior = "exclusive"\n'
        '[prices.openai."gpt-4o-mini"]\ninput_per_1m = "0.15"\n',
    ).settings
    assert (loaded.stripe_concurrency, loaded.stripe_timeout_seconds) == (4, 30)
    assert (loaded.billing_driver, loaded.period_type) == ("stripe", "weekly")
    assert loaded.period_alignment == "anchored"
    assert loaded.currency_rates == {"usd_eur": Decimal("0.85")}
    assert loaded.stripe_invoice_item == {"tax_behavior": "exclusive"}
    assert loaded.prices == {"openai": {"gpt-4o-mini": {"input_per_1m": "0.15"}}}


def test_texts_of_the_environment_become_typed_values(tmp_path: Path) -> None:
    settings = _load(
        tmp_path,
        environ={
            "AI_METERING_LEASE_SECONDS": "300",
            "AI_METERING_STRIPE_LIVE": "yes",
            "AI_METERING_RATE_MAX_AGE": "12h",
            "AI_METERING_OVERAGE_MARKUP": "1.25",
            "AI_METERING_CURRENCY_RATES": '{"usd_eur": 0.85}',
        },
    ).settings
    assert (settings.lease_seconds, settings.stripe_live) == (300, True)
    assert settings.rate_max_age == timedelta(hours=12)
    assert settings.overage_markup == Decimal("1.25")
    assert settings.currency_rates == {"usd_eur": Decimal("0.85")}


def test_a_relative_database_lies_beside_its_file(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    file = tmp_path / "etc" / "x.toml"
    file.write_text('database_url = "sqlite:///aimeter.db"')
    loaded = _load(tmp_path, config=file)
    assert loaded.settings.database_url == f"sqlite:///{tmp_path}/etc/aimeter.db"
    named = _load(tmp_path, environ={"AIMETER_CONFIG": "etc/x.toml"})
    assert named.file == file


FAULTS: list[tuple[dict[str, Any], str, str | None]] = [
    (
        {"toml": 'currency = "eur"\ncurency = "eur"'},
        "{folder}/aimeter.toml:2: unknown key curency",
        "Did you mean currency?",
    ),
    (
        {"toml": "[stripe]\n\ntimeout = 3"},
        "{folder}/aimeter.toml:3: unknown key stripe.timeout",
        "Did you mean stripe.timeout_seconds?",
    ),
    (
        {"toml": "[stripe]\ntimeout_seconds = 0"},
        (
            "{folder}/aimeter.toml:2: stripe.timeout_seconds: expected a whole number from 1 to "
            "300, got 0"
        ),
        None,
    ),
    (
        {"toml": 'currency = "zzz"'},
        (
            "{folder}/aimeter.toml:1: currency: unknown currency 'zzz': "
            "expected a three-letter ISO 4217 code such as usd or eur"
        ),
        None,
    ),
    (
        {"toml": "late_usage_days = true"},
        (
            "{folder}/aimeter.toml:1: late_usage_days: expected a "
            "whole number from 0 to 3650, got True"
        ),
        None,
    ),
    (
        {"toml": 'overage_behavior = "explode"'},
        (
            "{folder}/aimeter.toml:1: overage_behavior: "
            "expected one of block, allow, charge, got 'explode'"
        ),
        None,
    ),
    (
        {"toml": 'timezone = "Mars/Base"'},
        (
            "{folder}/aimeter.toml:1: timezone: unknown time zone "
            "'Mars/Base': expected an IANA name such as Europe/Berlin"
        ),
        None,
    ),
    (
        {"toml": "stripe_timeout_seconds = 3\n[stripe]\ntimeout_seconds = 3"},
        "{folder}/aimeter.toml:3: stripe.timeout_seconds is given twice",
        None,
    ),
    (
        {"toml": '[stripe]\napi_key = "sk_test_x"'},
        (
            "{folder}/aimeter.toml:2: stripe.api_key is a secret and does not belong in a file "
            "that is shared"
        ),
        "Set STRIPE_API_KEY in the environment or in .env.",
    ),
    (
        {"environ": {"AI_METERING_CURENCY": "eur"}},
        ("environment: unknown variable AI_METERING_CURENCY"),
        "Did you mean AI_METERING_CURRENCY?",
    ),
    (
        {"dotenv": "AI_METERING_LEASE_SECONDS=x"},
        (
            "{folder}/.env: AI_METERING_LEASE_SECONDS: expected "
            "a whole number from 6 to 3600, got 'x'"
        ),
        None,
    ),
    ({"environ": {"AI_METERING_PRICES": "{"}}, "AI_METERING_PRICES: expected a JSON object", None),
    (
        {"toml": "lease_seconds = 20"},
        (
            "{folder}/aimeter.toml:1: lease_seconds (20) must be at least "
            "stripe_timeout_seconds + 5 (25)"
        ),
        None,
    ),
    (
        {"environ": {"STRIPE_API_KEY": "sk_test_x\ncanary"}},
        "environment STRIPE_API_KEY: this is no Stripe key",
        "It starts with sk_test_, rk_test_, sk_live_ or rk_live_, without spaces.",
    ),
    (
        {"toml": '[prices.openai.m]\ninput_per_1m = "-1"'},
        '{folder}/aimeter.toml:1: prices.openai."m".input_per_1m: a price cannot be negative',
        None,
    ),
    (
        {"environ": {"STRIPE_API_KEY": "sk_live_x"}},
        ("STRIPE_API_KEY is a live key, but stripe.live is not true"),
        "Use a test key, or set live = true under [stripe] once you mean to bill.",
    ),
    (
        {"environ": {"AIMETER_CONFIG": "none.toml"}},
        ("AIMETER_CONFIG: there is no file {folder}/none.toml"),
        "aimeter init writes one.",
    ),
]


@pytest.mark.parametrize(("given", "message", "hint"), FAULTS)
def test_a_fault_says_where_it_stands(
    given: dict[str, Any], message: str, hint: str | None, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _load(tmp_path, **given)
    assert caught.value.message == message.format(folder=tmp_path)
    assert caught.value.hint == hint


def test_broken_toml_says_where(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"aimeter\.toml: .*line 2"):
        _load(tmp_path, 'currency = "eur"\nx y\n')


def test_secrets_are_in_no_representation(tmp_path: Path) -> None:
    loaded = _load(tmp_path, environ={"STRIPE_API_KEY": "sk_test_secret"})
    assert loaded.settings.stripe_api_key == "sk_test_secret"
    assert "sk_test_secret" not in repr(loaded)


def test_a_dotenv_that_is_no_text_is_an_error_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"STRIPE_API_KEY=\xff\xfe")
    with pytest.raises(ConfigurationError, match=r"\.env: .*can't decode"):
        _load(tmp_path)
