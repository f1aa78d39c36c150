"""Whether subscriptions follow Stripe: their ids, and what has come in. Stripe is not asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from aimeter_cli.app import App
from aimeter_cli.doctor.check import Check
from aimeter_cli.repositories import inbox_state
from aimeter_cli.repositories.installation import installation
from aimeter_cli.services.health import RECENT
from aimeter_cli.services.health import inbox as measured

SILENCE = timedelta(days=3)
_SHOWN = 5
_CRON = "*/15 * * * * aimeter webhooks pull in a crontab fetches what no endpoint has taken."
_SYNC_IDS = "aimeter subscriptions sync-stripe-ids finds them, in cron too"


def stripe_ids(app: App) -> Iterator[Check]:
    """Live subscriptions that no event reaches, or whose overages have nowhere to go."""
    settings = app.settings
    if settings.billing_driver == "null":
        yield Check("stripe ids", "skipped", "the billing driver is null")
        return
    with app.database.read() as session:
        found = inbox_state.missing_ids(session)
        names = inbox_state.without_ids(session, _SHOWN)
    if not names:
        kept = "kept by auto-sync" if settings.auto_sync_stripe_ids else "set by hand"
        told = f"{found.live} live subscription(s), every id is there ({kept})"
        yield Check("stripe ids", "ok", told)
        return
    told = (
        f"of {found.live} live subscription(s) {found.customer} lack the Stripe customer, "
        f"{found.subscription} the Stripe subscription: {', '.join(names)}"
    )
    by_hand = (
        f"aimeter subscriptions set-stripe-ids {names[0]} --customer cus_… --subscription sub_…"
    )
    hint = f"{_SYNC_IDS}; or {by_hand}"
    if not settings.auto_sync_stripe_ids:
        told += "; auto-sync is off"
        hint += "; AI_METERING_AUTO_SYNC_STRIPE_IDS=true finds those of new ones by itself"
    yield Check("stripe ids", "warning", told, hint)


def last_event(app: App) -> Iterator[Check]:
    """When an event came in, or a pull found that there was none."""
    with app.database.read() as session:
        found = measured(session, app.now())
    linked, event, pulled, newest = found.linked, found.newest_at, found.pulled_at, found.heard_at
    if not linked:
        yield Check("last event", "skipped", "no live subscription has a Stripe id")
        return
    came = f"the last one came {event:%Y-%m-%d %H:%M} UTC" if event else "none has ever come"
    asked = f"last pulled {pulled:%Y-%m-%d %H:%M} UTC" if pulled else "never pulled"
    told = f"{came}, {asked}"
    if newest is None or app.now() - newest > SILENCE:
        told += f": {linked} subscription(s) may not be as at Stripe"
        hint = f"aimeter webhooks pull --since 30d now; then {_CRON}"
        yield Check("last event", "warning", told, hint)
    else:
        yield Check("last event", "ok", told)


def signatures(app: App) -> Iterator[Check]:
    """Deliveries that came with a signature which no secret explains."""
    with app.database.read() as session:
        here = installation(session)
    number, last = here.deliveries_refused, here.delivery_refused_at
    if not number or last is None:
        yield Check("signatures", "ok", "no delivery was refused")
        return
    told = f"{number} delivery(ies) refused, the last one {last:%Y-%m-%d %H:%M} UTC"
    if app.now() - last > RECENT:
        yield Check("signatures", "ok", told)
        return
    count = len(app.settings.stripe_webhook_secret)
    yield Check(
        "signatures", "warning", f"{told}; {count} secret(s) known",
        "STRIPE_WEBHOOK_SECRET must be the signing secret (whsec_…) of that endpoint at Stripe, "
        "during a rotation old and new, comma-separated; the host's clock must be right. Then "
        "aimeter webhooks pull --undelivered.",
    )  # fmt: skip


def inbox(app: App) -> Iterator[Check]:
    """Stored events that have had no effect yet."""
    with app.database.read() as session:
        found = measured(session, app.now())
        waiting, subscriptions = inbox_state.waiting(session, app.now() - RECENT)
    failed, received, rubbish = found.failed, found.received, found.quarantined
    if failed:
        hint = "aimeter webhooks list --status failed shows why; aimeter webhooks retry --all."
        yield Check("inbox", "warning", f"{failed} event(s) failed", hint)
    if received:
        told = f"{received} event(s) stored and not handled: a process was stopped, or is busy"
        yield Check("inbox", "warning", told, "aimeter webhooks retry --all handles them.")
    if rubbish:
        told = (
            f"{rubbish} quarantined within {RECENT.days} days: no events, altered ones, or of "
            "another mode"
        )
        yield Check(
            "inbox", "warning", told, "aimeter webhooks list --status quarantined shows them."
        )
    if waiting:
        told = f"{waiting} event(s) wait for {subscriptions} subscription(s) not known here"
        hint = (
            f"{_SYNC_IDS}; aimeter webhooks retry --all takes up what is known by now. Those of "
            f"other products are told of for {RECENT.days} days; aimeter webhooks list --status "
            "waiting shows all."
        )
        yield Check("inbox", "warning", told, hint)
    if not (failed or received or rubbish or waiting):
        yield Check("inbox", "ok", "every event is handled")
