"""Driver, key, its mode and its account."""

from __future__ import annotations

from collections.abc import Iterator

from aimeter_cli.app import App
from aimeter_cli.doctor.check import Check
from aimeter_cli.repositories.installation import bound_installation
from aimeter_cli.services.sync.account import refuse_another

_SET_KEY = "Put STRIPE_API_KEY into the environment or .env."


def driver(app: App) -> Iterator[Check]:
    """Whether there is somewhere to send."""
    app.driver.ensure_ready()
    yield Check("driver", "ok", app.driver.name)


def key(app: App) -> Iterator[Check]:
    """Which mode the key is of; the key itself is never shown."""
    if app.settings.billing_driver != "stripe":
        yield Check("stripe key", "skipped", "the billing driver is not stripe")
    elif not app.settings.stripe_api_key:
        yield Check("stripe key", "failed", "STRIPE_API_KEY is not set", _SET_KEY)
    else:
        mode = "live: real money" if app.driver.livemode else "test mode"
        kind = "restricted" if app.settings.stripe_api_key.startswith("rk_") else "secret"
        yield Check("stripe key", "ok", f"{kind} key, {mode}")


def account(app: App) -> Iterator[Check]:
    """Whose account answers."""
    if app.settings.billing_driver != "stripe" or not app.settings.stripe_api_key:
        yield Check("stripe account", "skipped", "there is no key to ask with")
        return
    found = app.driver.account()
    named = f" ({found.name})" if found.name else ""
    with app.database.read() as session:
        refuse_another(bound_installation(session), found)
    if found.account_id is None:
        yield Check(
            "stripe account", "warning", "the key may not ask whose account it belongs to",
            "Only its mode, test or live, is checked before overages are sent.",
        )  # fmt: skip
        return
    at = app.settings.stripe_api_base or "api.stripe.com"
    yield Check("stripe account", "ok", f"{found.account_id}{named} at {at}")
