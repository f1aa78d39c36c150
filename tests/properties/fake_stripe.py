"""Stripe in a dictionary: quick enough for thousands of runs, as unkind as the real one.

It keeps its word about idempotency keys, knows no word of aimeter's but ``aimeter_item`` and
``aimeter_version``, and goes wrong on request: see :data:`SENDING` and :data:`READING`.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aimeter_cli.billing.base import Account, ItemRequest, ItemView, Reply
from aimeter_cli.domain.sync import Answer

KEY_SECONDS = 24 * 3600

SENDING = {
    "fine": "executed and answered",
    "dies before": "the process ends before it sends",
    "dies after": "the process ends before it sees the answer",
    "lost": "executed, the answer is lost",
    "never arrives": "lost on the way there",
    "held up": "no answer; executed later, if its key is still free then",
    "refused connection": "not executed, nobody there",
    "429": "not executed, asked too often",
    "409": "not executed, key in use",
    "502": "not executed, a gateway's answer",
    "502 late": "a gateway's answer; executed later, the key is in use until then",
    "502 after": "executed, a gateway's answer",
    "500 before": "not executed, an error stored under the key",
    "500 after": "executed, an error stored under the key",
    "400": "refused, not stored",
    "401": "refused for our key",
    "finalised before": "a person finalises just before it arrives",
    "finalised after": "a person finalises just after it was executed; the answer is lost",
}
READING = {
    "fine": "answered",
    "dies": "the process ends while it waits",
    "unreadable": "a 5xx",
    "unreachable": "nobody there",
}


class Killed(Exception):
    """Stands for the end of a process: whatever it held is left to its lease."""


@dataclass
class Item:
    id: str
    customer: str
    currency: str
    amount: int
    metadata: dict[str, str]
    created: float
    invoice: str | None = None
    is_deleted: bool = False
    is_touched: bool = False

    @property
    def tag(self) -> str:
        return self.metadata["aimeter_item"]


@dataclass
class FakeStripe:
    """A billing driver. ``sending`` and ``reading`` are what happens to the next requests;
    afterwards all is fine. Without ``marks_replays`` no answer says that it is a replay."""

    sending: deque[str] = field(default_factory=deque)
    reading: deque[str] = field(default_factory=deque)
    marks_replays: bool = True
    items: dict[str, Item] = field(default_factory=dict)
    name = "fake"
    livemode = False

    def __post_init__(self) -> None:
        self._passed = 0.0
        self._keys: dict[str, tuple[float, str, Reply]] = {}
        self._on_the_way: list[tuple[ItemRequest, bool]] = []
        self._invoices = 0

    def ensure_ready(self) -> None:
        """Always."""

    def account(self) -> Account:
        return Account("acct_fake", livemode=False)

    def close(self) -> None:
        """Nothing was opened."""

    def send(self, request: ItemRequest) -> Reply:
        what = self.sending.popleft() if self.sending else "fine"
        refusals = {
            "never arrives": Reply(Answer.LOST, reason="lost", unreachable=True),
            "refused connection": Reply(Answer.NOT_EXECUTED, reason="refused", unreachable=True),
            "429": Reply(Answer.NOT_EXECUTED, reason="429", rate_limited=True, retry_after=60),
            "409": Reply(Answer.NOT_EXECUTED, reason="409"),
            "502": Reply(Answer.SERVER_ERROR, reason="502"),
            "401": Reply(Answer.MISCONFIGURED, reason="401"),
        }
        if what == "dies before":
            raise Killed
        if what in refusals:
            return refusals[what]
        if what in ("held up", "502 late"):
            self._on_the_way.append((request, what == "502 late"))
            answer = Answer.LOST if what == "held up" else Answer.SERVER_ERROR
            return Reply(answer, reason=what)
        if any(r.idempotency_key == request.idempotency_key and busy
               for r, busy in self._on_the_way):  # fmt: skip
            return refusals["409"]
        if what == "finalised before":
            self._finalise_around(request)
        reply = self._arrives(request, what)
        if what == "finalised after":
            self._finalise_around(request)
        if what == "dies after":
            raise Killed
        if what in ("lost", "finalised after"):
            return Reply(Answer.LOST, reason=what)
        return Reply(Answer.SERVER_ERROR, reason=what) if what == "502 after" else reply

    def read(self, item_id: str) -> ItemView | Reply:
        trouble = self._trouble()
        item = self.items[item_id]
        if trouble is None and item.is_deleted:
            return Reply(Answer.GONE, reason="deleted")
        return trouble or _view(item)

    def find(self, customer_id: str, tag: str, created_since: int) -> Sequence[ItemView] | Reply:
        return self._trouble() or [
            _view(item) for item in reversed(self.items.values())
            if (item.customer, item.tag) == (customer_id, tag)
            and item.created >= created_since and not item.is_deleted
        ]  # fmt: skip

    def time_passes(self, seconds: float) -> None:
        """All that was held up arrives first, the last one first: nothing is held up so long that
        a lease could end meanwhile (DESIGN.md, "Look up")."""
        while self._on_the_way:
            request, _ = self._on_the_way.pop()
            self._arrives(request, "fine")
        self._passed += seconds

    def finalise(self, customer: str) -> None:
        """A person invoices all that is pending for a customer."""
        self._invoices += 1
        for item in self.items.values():
            if item.customer == customer and item.invoice is None and not item.is_deleted:
                item.invoice = f"in_{self._invoices}"

    def _trouble(self) -> Reply | None:
        what = self.reading.popleft() if self.reading else "fine"
        if what == "dies":
            raise Killed
        if what == "fine":
            return None
        return Reply(Answer.UNREADABLE, reason=what, unreachable=what == "unreachable")

    def _finalise_around(self, request: ItemRequest) -> None:
        item = self.items.get(str(request.item_id))
        self.finalise(item.customer if item is not None else request.params["customer"])

    def _arrives(self, request: ItemRequest, what: str) -> Reply:
        """Execute it under its key, or replay what is stored under it."""
        now, key = time.time() + self._passed, request.idempotency_key
        body = json.dumps([request.kind, request.item_id, dict(request.params)], sort_keys=True)
        stored = self._keys.get(key)
        if stored is not None and now - stored[0] < KEY_SECONDS:
            if stored[1] != body:
                raise AssertionError(f"two requests under one key, {key}: {stored[1]} and {body}")
            return stored[2]
        if what == "400":
            return Reply(Answer.REFUSED, reason="400")
        reply = Reply(Answer.DONE) if what == "500 before" else self._execute(request)
        replay = reply
        if what.startswith("500"):
            reply = Reply(Answer.SERVER_ERROR, reason="500")
            again = Answer.REPLAYED_ERROR if self.marks_replays else Answer.SERVER_ERROR
            replay = Reply(again, reason="500")
        self._keys[key] = (now, body, replay)
        return reply

    def _execute(self, request: ItemRequest) -> Reply:
        params: dict[str, Any] = dict(request.params)
        if request.kind == "create":
            item = Item(
                f"ii_{len(self.items) + 1:06}", params["customer"], params["currency"],
                params["amount"], params["metadata"], time.time(),
            )  # fmt: skip
            self.items[item.id] = item
        else:
            item = self.items[str(request.item_id)]
            if item.is_deleted or item.invoice is not None:
                return Reply(Answer.REFUSED, reason="404" if item.is_deleted else "400 finalised")
            item.amount, item.metadata = params["amount"], params["metadata"]
        return Reply(Answer.DONE, item.id, item.amount)


def _view(item: Item) -> ItemView:
    version = int(item.metadata["aimeter_version"])
    return ItemView(item.id, item.amount, version, item.invoice is not None, item.invoice)
