"""API keys (Stripe: API reference, "Authentication"): any test key will do."""

import base64
import binascii

from .refusals import ApiError


def authenticate(header: str | None, account: str, path: str = "") -> None:
    """Check ``Authorization: Bearer KEY`` or ``Basic`` with the key as user name.

    Any ``sk_test_…`` or ``rk_test_…`` is welcome; one that contains ``forbidden`` lacks permissions
    (403), and ``rk_test_x_without_invoices_customers`` those for ``/v1/invoices…`` and
    ``/v1/customers…``, if ``path`` lies there; no key, a live one or anything else is a 401.
    """
    key = _key(header)
    if not key:
        raise ApiError(
            401,
            "You did not provide an API key. You need to provide your API key in the Authorization "
            "header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See "
            "https://stripe.com/docs/api#authentication for details, or we can help at "
            "https://support.stripe.com/.",
            headers={"WWW-Authenticate": 'Bearer realm="Stripe"'},
        )
    if not key.startswith(("sk_test_", "rk_test_")):
        raise ApiError(
            401,
            f"Invalid API Key provided: {_masked(key)}",
            headers={"WWW-Authenticate": 'Bearer realm="Stripe"'},
        )
    resource = path.removeprefix("/v1/").partition("/")[0]
    _, lacks, named = key.partition("_without_")
    if "forbidden" in key or (lacks and f"_{resource}_" in f"_{named}_"):
        raise ApiError(
            403,
            f"The provided key '{_masked(key)}' does not have the required permissions for this "
            f"endpoint on account '{account}'.",
            "more_permissions_required_for_application",
        )


def _key(header: str | None) -> str:
    scheme, _, value = (header or "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def _masked(key: str) -> str:
    return key[:8] + "*" * max(0, len(key) - 12) + key[-4:]
