"""Stripe ids from code: ``stripe_ids.auto_sync(user)`` after a sign-up."""

from __future__ import annotations

from aimeter_cli.metering.references import reference_of
from aimeter_cli.metering.runtime import Runtime, default_runtime
from aimeter_cli.services.subscriptions.found_ids import FoundIds
from aimeter_cli.webhooks.stripe_ids import Linked
from aimeter_cli.webhooks.stripe_ids import auto_sync as _auto_sync

__all__ = ["FoundIds", "Linked", "auto_sync"]


def auto_sync(billable: object, *, runtime: Runtime | None = None) -> Linked:
    """Find the Stripe customer and subscription that the billable's subscription lacks here.

    Call it once the application's own transaction is committed, and in a thread from asynchronous
    code: it asks Stripe, and each answer may take five seconds. It asks nobody where nothing is
    missing, ``auto_sync_stripe_ids`` is off, or there is no key; then ``found`` is None and there
    are no ``notices``. What Stripe does raises nothing: ``notices`` tell it, and ``aimeter
    subscriptions sync-stripe-ids`` looks again.

    Raises NotFound for a billable without a subscription, InvalidInput for what is no billable.
    """
    here = runtime or default_runtime()
    ref = reference_of(billable, here.billable_resolver)
    return _auto_sync(here.database, here.settings, ref, now=here.now())
