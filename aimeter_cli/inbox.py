"""Stripe's deliveries at an application's own endpoint: ``inbox.receive(raw, signature)``."""

from __future__ import annotations

import logging
import time
import weakref
from dataclasses import dataclass

from aimeter_cli.errors import ConfigurationError
from aimeter_cli.metering.runtime import Runtime, default_runtime
from aimeter_cli.webhooks.intake import Intake
from aimeter_cli.webhooks.reading import incoming
from aimeter_cli.webhooks.refusals import Refusals
from aimeter_cli.webhooks.results import ResultStatus
from aimeter_cli.webhooks.signature import LARGEST, BadSignature, BodyTooLarge, check_signature
from aimeter_cli.webhooks.storing import arrive

__all__ = ["BadSignature", "BodyTooLarge", "Received", "receive"]

_SOURCE = "endpoint"
_refusals: weakref.WeakKeyDictionary[Runtime, Refusals] = weakref.WeakKeyDictionary()
_log = logging.getLogger("aimeter")


@dataclass(frozen=True, slots=True)
class Received:
    """What became of a delivery. All of them are kept: answer 200 whatever ``status`` says.

    ``error`` says why it failed, or what is to be told beside; ``aimeter webhooks retry`` tries
    failed ones again.
    """

    event_id: str
    type: str
    status: ResultStatus
    error: str | None = None


def receive(raw: bytes, signature: str | None, *, runtime: Runtime | None = None) -> Received:
    """Check a delivery, store it and handle it, once, however often it comes.

    ``raw`` is the body as it came, ``signature`` the header ``Stripe-Signature``. It waits for the
    database, and may ask Stripe: call it in a thread from asynchronous code.

    Raises BadSignature (answer 400) and BodyTooLarge (413); ConfigurationError without
    STRIPE_WEBHOOK_SECRET; DatabaseError and SQLAlchemy's errors if the event could not be stored or
    handled: answer 503, and Stripe sends it again.
    """
    here = runtime or default_runtime()
    app = here.app
    if len(raw) > LARGEST:
        raise BodyTooLarge(f"the body is larger than {LARGEST} bytes")
    secrets = app.settings.stripe_webhook_secret
    if not secrets:
        raise ConfigurationError(
            "STRIPE_WEBHOOK_SECRET is not set",
            hint="Put the endpoint's signing secret (whsec_…) into the environment or .env.",
        )
    try:
        check_signature(raw, signature, secrets, now=time.time())
    except BadSignature:
        refusals = _refusals.setdefault(here, Refusals())
        if refusals.count(app.now()):
            refusals.write(app.database)
        raise
    taken = Intake(app).take([arrive(incoming(raw, _SOURCE))])
    for notice in taken.notices:
        _log.info(notice)
    result = taken.results[0]  # after it come earlier events that waited for the same subscription
    return Received(result.event_id, result.type, result.status, result.error)
