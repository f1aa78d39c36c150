"""The control endpoints under ``/_sandbox/``: no key, JSON in and out, never in the ledger.

| endpoint | does |
|---|---|
| ``GET health`` | account, clock, how many requests are held up on their way |
| ``GET ledger?after=SEQ``, ``GET effects?after=N`` | what happened |
| ``GET customers items invoices subscriptions`` | all objects, oldest first, ``deleted`` marked |
| ``GET clock``, ``POST clock {"move": SECONDS}`` | the sandbox clock; see :mod:`.schedule` |
| ``GET faults``, ``POST faults {"fault": TEXT}``, ``DELETE faults`` | see :mod:`.faults` |
| ``GET settings``, ``POST settings {NAME: VALUE}`` | see :mod:`.settings` |
| ``POST outage {"seconds": S}`` | refuse connections for that long |
| ``POST prices {"id": "price_…", "interval": …}`` | see :func:`.prices.define` |
| ``POST person/finalize`` and ``draft`` ``{"customer": …}`` | see :mod:`.persons` |
| ``POST person/delete_item``, ``change_item`` ``{"item": …, "amount": …}`` | the same |
| ``POST person/renew {"subscription": …}`` | see :func:`.subscriptions.renew` |
| ``POST person/fail_payments {"customer": …, "fails": BOOL}`` | see :mod:`.payments` |
| ``GET events`` | all events, oldest first, also those that the API tells no more |
| ``POST deliver`` | try all webhooks that wait, now; answers with what became of each |
| ``POST reset`` | forget all but account and settings; clock back to real time |

Answers are 200, or 400 and 404 with ``{"error": "…"}``.
"""

import dataclasses
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from . import events, faults, ledger, payments, persons, prices, schedule, settings, subscriptions
from .call import Call
from .deliveries import Deliveries, waiting
from .exchange import Answer, json_answer
from .parts import Parts
from .refusals import ApiError
from .store import forget

PREFIX = "/_sandbox/"

Action = Callable[[Call, dict[str, Any]], Any]


class Control:
    """Answers control requests, each in one transaction."""

    def __init__(
        self, parts: Parts, outage: Callable[[float], None], deliveries: Deliveries
    ) -> None:
        self._parts, self._outage, self._deliveries = parts, outage, deliveries
        self._actions: dict[str, Action] = {
            "GET health": self._health,
            "GET ledger": lambda call, given: ledger.requests(call.db, _after(given)),
            "GET effects": lambda call, given: ledger.effects(call.db, _after(given)),
            "GET clock": lambda _call, _given: self._clock_now(),
            "POST clock": self._move_clock,
            "GET faults": lambda call, _given: self._parts.faults.listed(call.db),
            "POST faults": self._add_fault,
            "DELETE faults": lambda call, _given: self._parts.faults.clear(call.db),
            "GET settings": lambda _call, _given: settings.as_dict(self._parts.settings),
            "POST settings": self._set,
            "POST prices": lambda call, given: prices.define(call, given.pop("id"), **given),
            "POST person/finalize": lambda call, given: persons.finalize(call, given["customer"]),
            "POST person/draft": lambda call, given: persons.draft(call, given["customer"]),
            "POST person/delete_item": lambda call, given: persons.delete_item(call, given["item"]),
            "POST person/change_item": lambda call, given: persons.change_item(
                call, given.pop("item"), **given
            ),
            "POST person/renew": lambda call, given: subscriptions.renew(
                call, given["subscription"]
            ),
            "POST person/fail_payments": lambda call, given: payments.fail_from_now_on(
                call, given["customer"], given.get("fails", True)
            ),
            "GET events": lambda call, _given: events.everything(call),
            "POST reset": self._reset,
        }
        for table in ("customers", "items", "invoices", "subscriptions"):
            self._actions[f"GET {table}"] = self._all(table)

    def handle(self, method: str, target: str, body: bytes) -> Answer:
        """Answer a request for ``target``, path and query."""
        url = urlsplit(target)
        name = f"{method} {url.path.removeprefix(PREFIX)}"
        try:
            given: dict[str, Any] = {k: v[-1] for k, v in parse_qs(url.query).items()}
            if body:
                given.update(json.loads(body))
            if name == "POST outage":  # must not hold the transaction while the listener closes
                self._outage(float(given["seconds"]))
                return json_answer(200, None)
            if name == "POST deliver":  # nor while endpoints answer
                return json_answer(200, self._deliveries.flush())
            action = self._actions.get(name)
            if action is None:
                return json_answer(404, {"error": f"no such control endpoint: {name}"})
            with self._parts.store.transaction() as db:
                now = int(self._parts.clock.now())
                call = Call(
                    db, now, self._parts.store.account, by="person", settings=self._parts.settings
                )
                return json_answer(200, action(call, given))
        except ApiError as refusal:
            return json_answer(400, {"error": refusal.message})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return json_answer(400, {"error": f"{type(error).__name__}: {error}"})

    def _health(self, call: Call, _given: dict[str, Any]) -> Any:
        return {"ok": True, "account": call.account, "held": self._parts.traffic.held,
                "undelivered": waiting(call.db), **self._clock_now()}  # fmt: skip

    def _clock_now(self) -> dict[str, float]:
        return {"now": self._parts.clock.now(), "offset": self._parts.clock.offset}

    def _move_clock(self, call: Call, given: dict[str, Any]) -> Any:
        self._parts.clock.move(call.db, float(given["move"]))
        schedule.run(dataclasses.replace(call, now=int(self._parts.clock.now())))
        return self._clock_now()

    def _add_fault(self, call: Call, given: dict[str, Any]) -> Any:
        return {"id": self._parts.faults.add(call.db, faults.parse(given["fault"]))}

    def _set(self, call: Call, given: dict[str, Any]) -> Any:
        changed = self._parts.settings.changed(given)
        settings.write(call.db, changed)
        self._parts.settings = changed
        return settings.as_dict(changed)

    def _reset(self, call: Call, _given: dict[str, Any]) -> Any:
        forget(call.db)
        self._parts.faults.clear(call.db)
        self._parts.clock.move(call.db, -self._parts.clock.offset)

    def _all(self, table: str) -> Action:
        return lambda call, _given: persons.everything(call, table)


def _after(given: dict[str, Any]) -> int:
    return int(given.get("after", 0))
