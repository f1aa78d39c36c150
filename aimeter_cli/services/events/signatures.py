"""The signature of a delivery: HMAC-SHA256 over ``timestamp.body``, as Stripe signs webhooks."""

from __future__ import annotations

import hmac

HEADER = "Aimeter-Signature"


def signature(body: bytes, secret: str, timestamp: int) -> str:
    """``t=1798761600,v1=5257a8…``; the timestamp is in seconds."""
    return f"t={timestamp},v1={_digest(body, secret, timestamp)}"


def verify_signature(
    body: bytes, header: str, secret: str, *, now: float, tolerance: float = 300
) -> bool:
    """Whether ``header`` signs exactly this body, at most ``tolerance`` seconds from ``now``."""
    parts = dict(part.partition("=")[::2] for part in header.split(","))
    stamp = parts.get("t", "")
    if not (stamp.isascii() and stamp.isdigit()) or abs(now - int(stamp)) > tolerance:
        return False
    given = parts.get("v1", "").encode()
    return hmac.compare_digest(given, _digest(body, secret, int(stamp)).encode())


def _digest(body: bytes, secret: str, timestamp: int) -> str:
    return hmac.new(secret.encode(), b"%d.%b" % (timestamp, body), "sha256").hexdigest()
