"""What ``aimeter init`` asks on a terminal."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from aimeter_cli.domain.currency import currency_code
from aimeter_cli.errors import AimeterError
from aimeter_cli.settings.secrets import without_password

if TYPE_CHECKING:
    from aimeter_cli.cli.invocation import Invocation
    from aimeter_cli.migrations.first_use import Wanted

_KEY = re.compile(r"(?:sk|rk)_(?:test|live)_\w{8,}")
_URL = "AI_METERING_DATABASE_URL"


def ask(run: Invocation, wanted: Wanted, *, database: bool, currency: bool) -> Wanted:
    """``wanted`` with the answers; only what no option and no variable has said is asked."""
    say = run.console.notice
    if database and _URL in os.environ:
        say(f"Database: {without_password(os.environ[_URL])}, from {_URL}")
    elif database:
        url = _answer(run, "Database (an SQLAlchemy URL)", wanted.database_url, _database_url)
        wanted = replace(wanted, database_url=url, may_hold_secrets=True)
    if currency:
        code = _answer(run, "Currency of plans and costs", wanted.currency, currency_code)
        wanted = replace(wanted, currency=code)
    if os.environ.get("STRIPE_API_KEY"):
        say("Stripe key: from the environment (STRIPE_API_KEY)")
        return wanted
    question = "Stripe key (sk_test_…; empty: later; it is not shown)"
    key = _answer(run, question, "", _stripe_key, hide=True)
    live = "_live_" in key
    if live and not typer.confirm(
        "This is a live key. Send real invoice items with it", default=False, err=True
    ):
        say("The live key was not stored: no command runs with one unless stripe.live = true.")
        return wanted
    return replace(wanted, stripe_key=key, stripe_live=live)


def _database_url(text: str) -> str:
    """Raises ConfigurationError."""
    from aimeter_cli.db.engine import checked_url

    checked_url(text)
    return text


def _stripe_key(text: str) -> str:
    """Empty, or a secret or restricted key. Raises ConfigurationError that does not repeat it."""
    from aimeter_cli.errors import ConfigurationError

    if text and not _KEY.fullmatch(text):
        kind = "a publishable key" if text.startswith("pk_") else "no secret key of Stripe"
        raise ConfigurationError(f"that is {kind}: sk_test_…, rk_test_…, sk_live_… or rk_live_…")
    return text


def _answer(
    run: Invocation, question: str, default: str, parse: Callable[[str], str], *, hide: bool = False
) -> str:
    """Ask until the answer can be used."""
    while True:
        text = typer.prompt(
            question, default=default, hide_input=hide, show_default=bool(default), err=True
        )
        try:
            return parse(str(text).strip())
        except AimeterError as error:
            run.console.error(error.message, error.hint)
