"""One shared client, and what its answers mean.

Source: STRIPE.md; Stripe, "Idempotent requests", "Error handling". The package never retries for us
(``max_network_retries=0``): it ignores Retry-After, and a retry is a decision of the state machine.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from aimeter_cli.billing.base import Reply
from aimeter_cli.billing.throttle import Throttle
from aimeter_cli.domain.sync import Answer
from aimeter_cli.errors import ConfigurationError
from aimeter_cli.settings.table import Settings

if TYPE_CHECKING:
    import requests
    import stripe

_CONNECT_SECONDS = 5
PAGE = 100
_MOST_WAITS, _LONGEST_WAIT = 5, 5.0
"""How often, and how many seconds at a time, a page waits where Stripe was asked too often."""
Cursor = Literal["starting_after", "page"]
"""The parameter with which a list, or a search, goes on."""


class Connection:
    """Talks to Stripe through one shared client, at most so many requests a second."""

    def __init__(
        self, settings: Settings, *, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self._settings = settings
        self._sleep = sleep
        self._throttle = Throttle(settings.stripe_requests_per_second)
        self._shared: stripe.StripeClient | None = None
        self._lock = threading.Lock()

    def ensure_ready(self) -> None:
        """Raises ConfigurationError without a key."""
        if not self._settings.stripe_api_key:
            raise ConfigurationError(
                "STRIPE_API_KEY is not set",
                hint="Put it into the environment or .env; it starts with sk_test_ or rk_test_.",
            )

    def close(self) -> None:
        if self._shared is not None:
            self._session.close()
            self._shared = None

    def _client(self) -> stripe.StripeClient:
        with self._lock:
            if self._shared is None:
                self.ensure_ready()
                import stripe

                base = self._settings.stripe_api_base
                timeout = (_CONNECT_SECONDS, self._settings.stripe_timeout_seconds)
                self._session = _session(
                    base or stripe.DEFAULT_API_BASE, self._settings.stripe_concurrency
                )
                self._shared = stripe.StripeClient(
                    self._settings.stripe_api_key,
                    base_addresses={"api": base} if base else {},
                    http_client=stripe.RequestsClient(timeout=timeout, session=self._session),
                    max_network_retries=0,
                )
            return self._shared

    def call(
        self, request: Callable[[stripe.StripeClient], Any], before: float = math.inf
    ) -> tuple[int | None, dict[str, Any] | Reply]:
        """One request: the object as a dict, or what went wrong, with the HTTP status."""
        client = self._client()
        import stripe

        if not self._throttle.acquire(before):
            return None, Reply(Answer.NOT_EXECUTED, reason="the rate limit left no time for it")
        try:
            answer = request(client)
        except stripe.StripeError as error:
            reply = _classified(error)
            if reply.rate_limited:
                self._throttle.slow_down()
            return error.http_status, reply
        except (AttributeError, KeyError, TypeError, ValueError):
            # The package stumbled over a body that is not Stripe's: it proves nothing.
            return None, Reply(Answer.LOST, reason="an answer that is not Stripe's")
        if not isinstance(answer, stripe.StripeObject):
            return 200, {}
        response = answer.last_response
        # As it was sent: to_dict() makes Decimals of strings, which an event's payload must keep.
        sent = getattr(response, "data", None)
        content: dict[str, Any] = dict(sent) if isinstance(sent, dict) else answer.to_dict()
        content["_request_id"] = response.request_id if response is not None else None
        content["_date"] = (getattr(response, "headers", None) or {}).get("Date")
        return 200, content

    def pages(
        self,
        fetch: Callable[[stripe.StripeClient, Any], Any],
        params: Mapping[str, Any],
        what: str,
        cursor: Cursor = "starting_after",
    ) -> Iterator[dict[str, Any] | Reply]:
        """Every object of a list, newest first; a Reply, and then no more, where one is unreadable.

        A customer that does not exist has an empty list. A search has a ``page``, lists have not.
        """
        query = dict(params) | {"limit": PAGE}
        while True:
            page = self._page(lambda client: fetch(client, dict(query)))
            if isinstance(page, Reply):
                # Once a page was there, what is missing is the object after which to go on.
                if not (page.missing and "customer" in query and cursor not in query):
                    yield unreadable(page)
                return
            if not isinstance(page.get("data"), list) or "has_more" not in page:
                yield Reply(Answer.UNREADABLE, reason=f"the answer is no list of {what}")
                return
            yield from page["data"]
            if not page["has_more"] or not page["data"]:
                return
            last = page["next_page"] if cursor == "page" else page["data"][-1]["id"]
            query[cursor] = last

    def _page(self, request: Callable[[stripe.StripeClient], Any]) -> dict[str, Any] | Reply:
        """One request that waits a little, some times, where Stripe was asked too often."""
        for _ in range(_MOST_WAITS):
            _, page = self.call(request)
            if not (isinstance(page, Reply) and page.rate_limited):
                return page
            pause = page.retry_after if page.retry_after is not None else 1.0
            if pause > _LONGEST_WAIT:
                return page
            self._sleep(pause)
        return self.call(request)[1]


def _session(base: str, connections: int) -> requests.Session:
    """One pool of connections for all threads, so that closing it closes every one.

    The proxies of the environment are read once: for each request they cost as much as sending it.
    """
    import requests
    from requests.adapters import HTTPAdapter
    from requests.utils import get_environ_proxies

    session = requests.Session()
    session.proxies.update(get_environ_proxies(base))
    session.trust_env = False
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=connections))
    return session


def unreadable(reply: Reply) -> Reply:
    """What a failed read means: nothing was changed by it, so that nothing becomes unknown."""
    if reply.answer is Answer.MISCONFIGURED:
        return reply
    return Reply(
        Answer.UNREADABLE,
        reason=reply.reason,
        request_id=reply.request_id,
        retry_after=reply.retry_after,
        unreachable=reply.unreachable,
        rate_limited=reply.rate_limited,
    )


def _classified(error: stripe.StripeError) -> Reply:
    """DESIGN.md, "Overage → Stripe": which of the answers this exception is."""
    import stripe

    if isinstance(error, stripe.APIConnectionError):
        if _never_connected(error):
            return Reply(Answer.NOT_EXECUTED, reason="cannot connect to Stripe", unreachable=True)
        return Reply(Answer.LOST, reason="no answer from Stripe", unreachable=True)
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    code = error.error.code if error.error is not None else None
    status = error.http_status
    facts: dict[str, Any] = {
        "reason": _reason(status, code, error.user_message),
        "request_id": error.request_id,
        "retry_after": _seconds(headers.get("retry-after")),
        "missing": code == "resource_missing",
    }
    replayed = headers.get("idempotent-replayed") == "true"
    failed = Answer.REPLAYED_ERROR if replayed else Answer.SERVER_ERROR
    if status in (401, 403) or (status == 404 and code != "resource_missing"):
        return Reply(Answer.MISCONFIGURED, **facts)  # a 404 of no object: not Stripe's API at all
    if status == 429:
        if code == "lock_timeout":
            return Reply(failed, **facts)
        return Reply(Answer.NOT_EXECUTED, rate_limited=True, **facts)
    if status == 409:
        in_use = code == "idempotency_key_in_use"
        return Reply(Answer.NOT_EXECUTED if in_use else failed, **facts)
    if isinstance(error, stripe.IdempotencyError):
        return Reply(Answer.KEY_MISMATCH, **facts)
    if status in (400, 402, 404):
        return Reply(Answer.REFUSED, **facts)
    if status is not None and status >= 500:
        return Reply(failed, **facts)
    return Reply(Answer.LOST, **facts)


def _never_connected(error: stripe.APIConnectionError) -> bool:
    """Whether the request cannot have left this host."""
    import requests
    from urllib3.exceptions import NewConnectionError

    cause = error.__cause__
    if isinstance(cause, requests.exceptions.ConnectTimeout):
        return True
    inner = cause.args[0] if isinstance(cause, requests.RequestException) and cause.args else None
    return isinstance(getattr(inner, "reason", None), NewConnectionError)


def _reason(status: int | None, code: str | None, message: str | None) -> str:
    if message is not None and message.startswith("Invalid response body"):
        message = "with a body that is not Stripe's"  # the package quotes a gateway's whole page
    told = " ".join(part for part in (str(status or ""), code, message) if part)
    return told[:300] or "Stripe gave no reason"


def _seconds(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:
        return None  # an HTTP date: our own back-off is long enough
