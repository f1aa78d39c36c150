"""Whether a delivery was signed with a secret that we know, lately.

Source: Stripe, "Resolve webhook signature verification errors"; STRIPE.md, "The package", for why
its own check is not used: it takes times of the future, one secret only, and raises untyped errors.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence

from aimeter_cli.errors import AimeterError

TOLERANCE_SECONDS = 300
LARGEST = 512 * 1024
"""Bytes of a body; Stripe's events are far smaller."""
_LONGEST_HEADER = 4096
_STAMP = re.compile(r"[0-9]{1,12}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class BadSignature(AimeterError):
    """The delivery is not Stripe's, or nobody can know: answer 400. Nothing of it was kept."""


class BodyTooLarge(AimeterError):
    """The body is longer than any event of Stripe: answer 413."""


def check_signature(
    raw: bytes, header: str | bytes | None, secrets: Sequence[str], *, now: float
) -> None:
    """``raw``: the body as it came; ``header``: ``t=…,v1=…[,v1=…]``; ``now``: Unix seconds.

    One of the signatures must be of one of the secrets, its time at most 300 seconds from now, in
    both directions. Raises BadSignature, which says why and quotes nothing.
    """
    stamp, signatures = _parts(header)
    signed = stamp.encode() + b"." + raw
    expected = [hmac.new(s.encode(), signed, hashlib.sha256).hexdigest() for s in secrets]
    # All are compared, whichever fits: how long it takes tells nothing.
    fits = [hmac.compare_digest(ours, each) for ours in expected for each in signatures]
    if not any(fits):
        raise BadSignature("no signature of it is of a secret in STRIPE_WEBHOOK_SECRET")
    if abs(now - int(stamp)) > TOLERANCE_SECONDS:
        raise BadSignature(
            f"it was signed more than {TOLERANCE_SECONDS} seconds from now: an old delivery sent "
            "again, or a wrong clock"
        )


def _parts(header: str | bytes | None) -> tuple[str, list[str]]:
    """The time as it stands, and the signatures of scheme ``v1``."""
    if not header:
        raise BadSignature("the header Stripe-Signature is missing")
    text = header.decode("latin-1") if isinstance(header, bytes) else header
    if len(text) > _LONGEST_HEADER:
        raise BadSignature("the header Stripe-Signature is too long")
    pairs = [part.strip().partition("=") for part in text.split(",")]
    stamps = [value for name, _, value in pairs if name == "t"]
    signatures = [value for name, _, value in pairs if name == "v1" and _DIGEST.fullmatch(value)]
    if len(stamps) != 1 or not _STAMP.fullmatch(stamps[0]) or not signatures:
        raise BadSignature("the header Stripe-Signature is not of the form t=…,v1=…")
    return stamps[0], signatures
