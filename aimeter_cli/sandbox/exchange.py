"""A request as it came in, and the answer as it goes out, or fails to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .form import Pairs

API_VERSION = "2026-10-28.endive"

Delivery = Literal["send", "reset", "truncate", "silence"]

GATEWAY_PAGE = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    b"<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n"
    b"</body>\r\n</html>\r\n"
)


@dataclass(frozen=True, slots=True)
class Request:
    """A request that has been read whole; header names are in lower case.

    ``form`` holds the parameters of the query and of the body, in order.
    """

    method: str
    path: str
    form: Pairs
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def key(self) -> str | None:
        """The idempotency key; only POST has one (Stripe: "Idempotent requests")."""
        return self.headers.get("idempotency-key") if self.method == "POST" else None


@dataclass(slots=True)
class Answer:
    """What to send, after waiting ``seconds``.

    ``delivery``: ``send`` it whole, ``truncate`` the body and close, ``reset`` the connection, or
    keep ``silence`` for that time and close.
    """

    status: int = 0
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delivery: Delivery = "send"
    seconds: float = 0


def json_answer(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer with a JSON body."""
    return Answer(status, encode(body), {"Content-Type": "application/json", **(headers or {})})


def encode(body: Any) -> bytes:
    """JSON as bytes."""
    return json.dumps(body).encode()


def gateway_answer() -> Answer:
    """The HTML page of a gateway that could not reach the API, or gave up on it."""
    return Answer(502, GATEWAY_PAGE, {"Content-Type": "text/html"})
