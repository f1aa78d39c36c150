"""Signatures as Stripe makes them."""

from __future__ import annotations

import hashlib
import hmac

SECRET = "whsec_of_the_tests"


def v1(raw: bytes, stamp: int | str, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), f"{stamp}.".encode() + raw, hashlib.sha256).hexdigest()


def signed(raw: bytes, at: float, *secrets: str) -> str:
    """The header for a body signed at a time (Unix seconds) with one secret or several."""
    signatures = ",".join(f"v1={v1(raw, int(at), each)}" for each in secrets or (SECRET,))
    return f"t={int(at)},{signatures},v0=ignored"
