"""Stripe's invoice items. The only module that imports ``stripe``.

Source: STRIPE.md; Stripe, "Idempotent requests", "Error handling", "Invoice items". The package
never retries for us (``max_network_retries=0``): it ignores Retry-After, and a retry is a decision
of the state machine.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from aimeter_cli.billing.base import Account, ItemRequest, ItemView, Reply
from aimeter_cli.billing.throttle import Throttle
from aimeter_cli.domain.sync import Answer
from aimeter_cli.errors import AimeterError, ConfigurationError
from aimeter_cli.settings.table import Settings

if TYPE_CHECKING:
    import requests
    import stripe

_CONNECT_SECONDS = 5
_PAGE = 100


class StripeDriver:
    """Talks to Stripe through one shared client, at most so many requests a second."""

    name = "stripe"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._throttle = Throttle(settings.stripe_requests_per_second)
        self._shared: stripe.StripeClient | None = None
        self._lock = threading.Lock()

    @property
    def livemode(self) -> bool:
        return self._settings.stripe_api_key.startswith(("sk_live_", "rk_live_"))

    def ensure_ready(self) -> None:
        if not self._settings.stripe_api_key:
            raise ConfigurationError(
                "STRIPE_API_KEY is not set",
                hint="Put it into the environment or .env; it starts with sk_test_ or rk_test_.",
            )

    def account(self) -> Account:
        _, found = self._call(lambda client: client.v1.accounts.retrieve_current())
        if isinstance(found, Reply):
            if found.answer is Answer.MISCONFIGURED:
                raise ConfigurationError(
                    f"Stripe refuses the request: {found.reason}",
                    hint="Check STRIPE_API_KEY and STRIPE_API_BASE.",
                )
            raise AimeterError(f"Stripe cannot be asked for the account: {found.reason}")
        if not isinstance(found.get("id"), str):
            raise AimeterError("what answers at STRIPE_API_BASE is not Stripe")
        name = (found.get("settings") or {}).get("dashboard", {}).get("display_name")
        return Account(found["id"], self.livemode, name)

    def send(self, request: ItemRequest) -> Reply:
        params: Any = dict(request.params)
        options: Any = {"idempotency_key": request.idempotency_key}
        if request.kind == "create":
            _, found = self._call(
                lambda client: client.v1.invoice_items.create(params, options),
                request.send_before,
            )
        else:
            item_id = str(request.item_id)
            _, found = self._call(
                lambda client: client.v1.invoice_items.update(item_id, params, options),
                request.send_before,
            )
        if isinstance(found, Reply):
            return found
        if not _is_item(found):
            return Reply(Answer.LOST, reason="the answer is no invoice item")
        return Reply(Answer.DONE, found["id"], found["amount"], request_id=found.get("_request_id"))

    def read(self, item_id: str) -> ItemView | Reply:
        found = self._get_item(item_id)
        if isinstance(found, Reply):
            return found
        closed = self._is_closed(found)
        if isinstance(closed, Reply):
            return closed
        if closed:  # once more: an update may have landed before the invoice was closed
            found = self._get_item(item_id)
            if isinstance(found, Reply):
                return found
        return _view(found, is_closed=closed)

    def find(self, customer_id: str, tag: str, created_since: int) -> Sequence[ItemView] | Reply:
        views: list[ItemView] = []
        params: dict[str, Any] = {
            "customer": customer_id,
            "limit": _PAGE,
            "created": {"gte": created_since},
        }
        while True:
            status, page = self._call(partial(_list_items, params=dict(params)))
            if isinstance(page, Reply):
                missing = status in (400, 404) and page.answer is Answer.REFUSED
                return [] if missing and "customer" in (page.reason or "") else _unreadable(page)
            if not isinstance(page.get("data"), list) or "has_more" not in page:
                return Reply(Answer.UNREADABLE, reason="the answer is no list of invoice items")
            for item in page["data"]:
                if (item.get("metadata") or {}).get("aimeter_item") == tag:
                    closed = self._is_closed(item)
                    if isinstance(closed, Reply):
                        return closed
                    views.append(_view(item, is_closed=closed))
            if not page["has_more"]:
                return views
            params["starting_after"] = page["data"][-1]["id"]

    def close(self) -> None:
        if self._shared is not None:
            self._session.close()
            self._shared = None

    def _get_item(self, item_id: str) -> dict[str, Any] | Reply:
        status, found = self._call(lambda client: client.v1.invoice_items.retrieve(item_id))
        if isinstance(found, Reply):
            if status == 404 and found.answer is Answer.REFUSED:
                return Reply(Answer.GONE, reason="deleted at Stripe", request_id=found.request_id)
            return _unreadable(found)
        if found.get("deleted"):
            return Reply(Answer.GONE, reason="deleted at Stripe")
        if not _is_item(found):
            return Reply(Answer.UNREADABLE, reason="the answer is no invoice item")
        return found

    def _is_closed(self, item: Mapping[str, Any]) -> bool | Reply:
        invoice = item.get("invoice")
        if not invoice:
            return False
        _, found = self._call(lambda client: client.v1.invoices.retrieve(str(invoice)))
        if isinstance(found, Reply):
            return _unreadable(found)
        if not isinstance(found.get("status"), str):
            return Reply(Answer.UNREADABLE, reason="the answer is no invoice")
        return bool(found["status"] != "draft")

    def _client(self) -> stripe.StripeClient:
        with self._lock:
            if self._shared is None:
                self.ensure_ready()
                import stripe

                base = self._settings.stripe_api_base
                timeout = (_CONNECT_SECONDS, self._settings.stripe_timeout_seconds)
                self._session = _session(self._settings.stripe_concurrency)
                self._shared = stripe.StripeClient(
                    self._settings.stripe_api_key,
                    base_addresses={"api": base} if base else {},
                    http_client=stripe.RequestsClient(timeout=timeout, session=self._session),
                    max_network_retries=0,
                )
            return self._shared

    def _call(
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
        content: dict[str, Any] = answer.to_dict()
        response = answer.last_response
        content["_request_id"] = response.request_id if response is not None else None
        return 200, content


def _session(connections: int) -> requests.Session:
    """One pool of connections for all threads, so that closing it closes every one."""
    import requests
    from requests.adapters import HTTPAdapter

    session = requests.Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=connections))
    return session


def _list_items(client: stripe.StripeClient, params: Any) -> Any:
    return client.v1.invoice_items.list(params)


def _is_item(content: Mapping[str, Any]) -> bool:
    """Whether an answer is what it should be; one that is not proves nothing."""
    amount = content.get("amount")
    return isinstance(content.get("id"), str) and isinstance(amount, int)


def _view(item: Mapping[str, Any], *, is_closed: bool) -> ItemView:
    version = (item.get("metadata") or {}).get("aimeter_version")
    return ItemView(
        item["id"],
        item["amount"],
        int(version) if version and version.isdigit() else None,
        is_closed,
        item.get("invoice"),
        item.get("_request_id"),
    )


def _unreadable(reply: Reply) -> Reply:
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
    told = " ".join(part for part in (str(status or ""), code, message) if part)
    return told[:300] or "Stripe gave no reason"


def _seconds(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:
        return None  # an HTTP date: our own back-off is long enough
