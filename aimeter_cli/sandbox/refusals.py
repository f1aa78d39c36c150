"""Stripe's error bodies (Stripe: API reference, "Errors" and "Error codes")."""

from dataclasses import dataclass, field
from typing import Any

INVALID = "invalid_request_error"


@dataclass(slots=True)
class ApiError(Exception):
    """An answer with an error body.

    ``status`` is the HTTP status, ``kind`` the body's ``type``; ``headers`` go out with the answer.
    ``keeps``: what was done before it stays done.
    """

    status: int
    message: str
    code: str | None = None
    param: str | None = None
    kind: str = INVALID
    headers: dict[str, str] = field(default_factory=dict)
    keeps: bool = False

    def body(self, request_id: str, time: int) -> dict[str, Any]:
        """The JSON body, fields in Stripe's (alphabetical) order; ``time`` in epoch seconds."""
        error: dict[str, Any] = {}
        if self.code is not None:
            error["code"] = self.code
            page = self.code.replace("_", "-")
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{page}"
        error["message"] = self.message
        if self.param is not None:
            error["param"] = self.param
        log = f"https://dashboard.stripe.com/test/logs/{request_id}?t={time}"
        error["request_log_url"] = log
        error["type"] = self.kind
        return {"error": error}


def missing(kind: str, object_id: str, param: str, status: int = 400) -> ApiError:
    """``resource_missing``: 404 for the object of the path, 400 for one named by a parameter."""
    return ApiError(status, f"No such {kind}: '{object_id}'", "resource_missing", param)


def invalid(message: str, param: str | None = None, code: str | None = None) -> ApiError:
    """A plain 400 of type ``invalid_request_error``."""
    return ApiError(400, message, code, param)


def unknown_url(method: str, path: str) -> ApiError:
    """The 404 for a path that the API does not have."""
    return ApiError(
        404,
        f"Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs "
        "or we can help at https://support.stripe.com/.",
    )


def rate_limited(retry_after: float | None = 1, reason: str = "endpoint-rate") -> ApiError:
    """429 ``rate_limit`` (Stripe: "Rate limits"); ``retry_after`` in seconds, None = no header."""
    headers = {"Stripe-Rate-Limited-Reason": reason}
    if retry_after is not None:
        headers["Retry-After"] = f"{retry_after:g}"
    return ApiError(
        429,
        "Request rate limit exceeded. Learn more about rate limits here "
        "https://stripe.com/docs/rate-limits.",
        "rate_limit",
        headers=headers,
    )


def lock_timeout() -> ApiError:
    """429 ``lock_timeout`` (Stripe: "Rate limits", object lock timeouts): has no reason header."""
    return ApiError(
        429,
        "This object cannot be accessed right now because another API request or Stripe process is "
        "currently accessing it. If you see this error intermittently, retry the request. If you "
        "see this error frequently and are making multiple concurrent requests to a single object, "
        "make your requests serially or at a lower rate. For more details, see "
        "https://stripe.com/docs/rate-limits#object-lock-timeouts.",
        "lock_timeout",
    )


def key_in_use(key: str) -> ApiError:
    """409 for a key whose first request is still executing (Stripe: "Idempotent requests")."""
    return ApiError(
        409,
        "There is currently another in-progress request using this Idempotent Key (that probably "
        "means you submitted twice, and the other request is still going through): "
        f"{key}. Please try again later.",
        "idempotency_key_in_use",
    )


def server_error() -> ApiError:
    """500 ``api_error``: something went wrong on the other end."""
    return ApiError(
        500,
        "An unknown error occurred. If you continue to see this error, "
        "please contact us at https://support.stripe.com/.",
        kind="api_error",
    )
