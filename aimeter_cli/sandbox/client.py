"""The tests' hand on the sandbox: reads what it did and tells it what to do."""

import json
import time
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

Row = dict[str, Any]


class SandboxControl:
    """Speaks to the control endpoints (see :mod:`.control`) of the sandbox at ``base_url``.

    Every method raises ValueError when the sandbox refuses, OSError when it does not answer.
    """

    def __init__(self, base_url: str, timeout: float = 10) -> None:
        self.url = base_url.rstrip("/")
        self.timeout = timeout
        self._address = urlsplit(self.url).netloc

    def health(self) -> Row:
        """``ok``, ``account``, ``now`` and ``offset`` of the clock, ``held`` requests.

        ``undelivered`` is how many webhooks wait.
        """
        return self._row("GET", "health")

    def customers(self) -> list[Row]:
        """All customers, oldest first, deleted ones marked ``deleted``."""
        return self._rows("customers")

    def items(self, customer: str | None = None, *, deleted: bool = False) -> list[Row]:
        """The invoice items, oldest first; with ``deleted``, deleted ones too."""
        return [
            item
            for item in self._rows("items")
            if (deleted or not item["deleted"]) and customer in (None, item["customer"])
        ]

    def invoices(self, customer: str | None = None) -> list[Row]:
        """The invoices with their first lines, oldest first, deleted drafts left out."""
        return [
            invoice
            for invoice in self._rows("invoices")
            if not invoice["deleted"] and customer in (None, invoice["customer"])
        ]

    def subscriptions(self) -> list[Row]:
        """All subscriptions, oldest first."""
        return self._rows("subscriptions")

    def ledger(self, after: int = 0) -> list[Row]:
        """The requests after sequence number ``after``, in order of arrival.

        ``seq time method path form idempotency_key customer request_id status outcome error
        replayed executed executed_at fault``: ``status`` is what the client was sent, None for no
        answer; ``outcome`` is what the API arrived at, None when it was not reached; ``executed``
        says whether it took effect.
        """
        return self._rows("ledger", after=after)

    def effects(self, after: int = 0) -> list[Row]:
        """The changes of items after number ``after``, in order of execution.

        ``n time kind item customer currency old new request by``: ``kind`` is ``create``,
        ``update`` or ``delete``, amounts in minor units, ``request`` the ledger's ``seq``, ``by``
        ``api`` or ``person``.
        """
        return self._rows("effects", after=after)

    def now(self) -> float:
        """The sandbox clock, in epoch seconds."""
        return float(self._row("GET", "clock")["now"])

    def move_clock(self, seconds: float) -> float:
        """Move the sandbox clock and return it."""
        return float(self._row("POST", "clock", {"move": seconds})["now"])

    def add_fault(self, fault: str, **options: Any) -> int:
        """Order a fault, as text or as a kind with options (see :mod:`.faults`); returns its id.

        ``for`` is a word of Python's: write ``for_``.
        """
        given = ",".join(f"{name.rstrip('_')}={value}" for name, value in options.items())
        text = fault + ("" if not given else "," + given if ":" in fault else ":" + given)
        return int(self._row("POST", "faults", {"fault": text})["id"])

    def faults(self) -> list[Row]:
        """The ordered faults: ``id``, ``fault``, how many requests ``seen`` and ``applied``."""
        return self._rows("faults")

    def clear_faults(self) -> None:
        """Call all faults off; requests that are held up on their way still execute."""
        self._call("DELETE", "faults")

    def settings(self) -> Row:
        """The settings (see :class:`.settings.Settings`)."""
        return self._row("GET", "settings")

    def set(self, **values: Any) -> Row:
        """Change settings and return all of them."""
        return self._row("POST", "settings", values)

    def outage(self, seconds: float) -> None:
        """Refuse connections for ``seconds``, this one's successors too."""
        self._call("POST", "outage", {"seconds": seconds})

    def define_price(self, price_id: str, **options: Any) -> Row:
        """Define a price (see :func:`.prices.define`)."""
        return self._row("POST", "prices", {"id": price_id, **options})

    def person_finalize(self, customer: str) -> list[str]:
        """A person invoices all that is pending, finalises all drafts; returns the invoice ids."""
        return list(self._call("POST", "person/finalize", {"customer": customer}))

    def person_draft(self, customer: str) -> list[str]:
        """A person puts all that is pending on drafts; returns their ids."""
        return list(self._call("POST", "person/draft", {"customer": customer}))

    def person_delete_item(self, item: str) -> None:
        """A person deletes an item that is pending or on a draft."""
        self._call("POST", "person/delete_item", {"item": item})

    def person_change_item(self, item: str, amount: int) -> Row:
        """A person sets an item's amount, in minor units; returns the item."""
        return self._row("POST", "person/change_item", {"item": item, "amount": amount})

    def renew(self, subscription: str) -> Row:
        """The subscription's next period begins; returns the draft of its scheduled invoice."""
        return self._row("POST", "person/renew", {"subscription": subscription})

    def fail_payments(self, customer: str, fails: bool = True) -> None:
        """From now on the customer's payments fail, or succeed again."""
        self._call("POST", "person/fail_payments", {"customer": customer, "fails": fails})

    def events(self, *types: str) -> list[Row]:
        """All events, or those of some types, oldest first, in the order of their making."""
        return [e for e in self._rows("events") if not types or e["type"] in types]

    def deliver(self) -> list[Row]:
        """Send all webhooks that wait; each as ``event type url status``."""
        return list(self._call("POST", "deliver"))

    def wait_for_deliveries(self, timeout: float = 10) -> int:
        """Wait until no webhook waits, where they go out at once; returns how many still wait."""
        end = time.monotonic() + timeout
        while (waiting := int(self.health()["undelivered"])) and time.monotonic() < end:
            time.sleep(0.02)
        return waiting

    def reset(self) -> None:
        """Forget everything but account and settings; the clock shows real time again."""
        self._call("POST", "reset")

    def wait_until_settled(self, timeout: float = 10) -> None:
        """Wait until no request is held up on its way; raises TimeoutError."""
        end = time.monotonic() + timeout
        while self.health()["held"]:
            if time.monotonic() > end:
                raise TimeoutError("requests are still held up on their way")
            time.sleep(0.01)

    def _rows(self, name: str, **query: Any) -> list[Row]:
        return list(self._call("GET", name + ("?" + urlencode(query) if query else "")))

    def _row(self, method: str, name: str, given: Row | None = None) -> Row:
        return dict(self._call(method, name, given))

    def _call(self, method: str, name: str, given: Row | None = None) -> Any:
        data = None if given is None else json.dumps(given)
        connection = HTTPConnection(self._address, timeout=self.timeout)
        try:
            connection.request(
                method, f"/_sandbox/{name}", data, {"Content-Type": "application/json"}
            )
            answer = connection.getresponse()
            body = json.load(answer)
        finally:
            connection.close()
        if answer.status != 200:
            raise ValueError(body["error"])
        return body
