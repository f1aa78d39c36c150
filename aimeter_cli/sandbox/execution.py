"""Execution of a request: from its endpoint and key to its effects and its stored answer."""

from dataclasses import dataclass

from . import idempotency, ledger, persons, routes
from .authentication import authenticate
from .call import Call
from .exchange import API_VERSION, Answer, Request, encode
from .expand import expand
from .faults import Fault, Plan
from .form import tree
from .idempotency import Kept, Use
from .params import check
from .parts import Parts
from .refusals import ApiError, invalid, lock_timeout, server_error
from .routes import Route
from .store import savepoint

UNANSWERED = ("lost", "hang", "held")


@dataclass(slots=True)
class Arrival:
    """A request that has been noted in the ledger, and what is to happen to it."""

    request: Request
    seq: int
    request_id: str
    customer: str | None
    plan: Plan

    @property
    def kind(self) -> str:
        """The kind of the fault that strikes it, empty without one."""
        return self.plan.strike.kind if self.plan.strike else ""

    def told(self, status: int) -> int | None:
        """The status that the client is sent when the API arrives at ``status``."""
        if self.kind in UNANSWERED:
            return None
        return 502 if self.kind == "502_late" else status


class Executor:
    """Executes requests, each in one transaction; safe to use from many threads."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def run(self, arrival: Arrival, *, holds_key: bool = False) -> Answer:
        """Execute, or refuse, and note it; ``holds_key``: the caller holds the key already."""
        request = arrival.request
        try:
            route, object_id = routes.find(request.method, request.path)
            header = request.headers.get("authorization")
            authenticate(header, self._parts.store.account, request.path)
            self._parts.traffic.rates.admit(
                f"{route.method} {route.path}", self._parts.settings.rate_limit
            )
            if request.key is not None:
                idempotency.check_key(request.key)
            with self._parts.traffic.key(None if holds_key else request.key):
                return self._locked(arrival, route, object_id)
        except ApiError as refusal:
            return self._refused(arrival, refusal)

    def _locked(self, arrival: Arrival, route: Route, object_id: str) -> Answer:
        mode = self._parts.settings.lock_timeout
        locks = mode != "off" and route.method != "GET"
        try:
            with self._parts.traffic.customer(arrival.customer if locks else None):
                self._wait(arrival)
                return self._transact(arrival, route, object_id, _instead(arrival.plan.strike))
        except ApiError as refusal:
            if refusal.code == "lock_timeout" and mode == "stored":
                return self._transact(arrival, route, object_id, refusal)
            raise

    def _wait(self, arrival: Arrival) -> None:
        seconds = self._parts.settings.latency_ms / 1000
        strike = arrival.plan.strike
        if strike is not None and strike.kind == "slow" and strike.option("when") == "before":
            seconds += strike.number("delay")
        if seconds:
            self._parts.stop.wait(seconds)

    def _transact(
        self, arrival: Arrival, route: Route, object_id: str, instead: ApiError | None
    ) -> Answer:
        """The one transaction; raises ApiError, unstored, for what validation refuses."""
        request, strike = arrival.request, arrival.plan.strike
        use, account = None, self._parts.store.account
        if request.key is not None:
            digest = idempotency.digest(request.form)
            use = Use(account, request.key, request.path, digest)
        with self._parts.store.transaction() as db:
            now = self._parts.clock.now()
            call = Call(
                db, int(now), account, arrival.seq, object_id=object_id,
                settings=self._parts.settings, request_id=arrival.request_id, key=request.key,
            )  # fmt: skip
            if use is not None:
                kept = idempotency.find(db, use, now, self._parts.settings.key_retention)
                if kept is not None:
                    return self._replayed(arrival, call, kept)
            call.params = check(route.fields, tree(request.form))
            refusal, executed, body = instead, False, b""
            if refusal is None:
                try:
                    with savepoint(db):
                        body = encode(expand(call, route.handler(call)))
                    executed = True
                except ApiError as raised:
                    refusal = raised
            if strike is not None and strike.kind == "500_after":
                refusal = server_error()
            if refusal is not None:
                body = encode(refusal.body(arrival.request_id, int(now)))
            answer = Kept(refusal.status if refusal else 200, body, arrival.request_id)
            if use is not None and (strike is None or strike.option("stored") != "no"):
                idempotency.keep(db, use, now, answer)
            self._around(arrival, call)
            ledger.conclude(
                db,
                arrival.seq,
                told=arrival.told(answer.status),
                outcome=answer.status,
                error=refusal.code or refusal.kind if refusal else None,
                executed_at=now if executed else None,
            )
        return self._answer(arrival, answer, refusal.headers if refusal else {})

    def _around(self, arrival: Arrival, call: Call) -> None:
        """What a person does right after the request has executed."""
        person = Call(
            call.db, call.now, call.account, arrival.seq, by="person", settings=call.settings
        )
        for fault in arrival.plan.around:
            if fault.option("when") == "after":
                path = arrival.request.path
                persons.around(person, fault, self._parts.clock, arrival.customer, path)

    def _replayed(self, arrival: Arrival, call: Call, kept: Kept) -> Answer:
        if _instead(arrival.plan.strike) is not None or arrival.kind == "500_after":
            ledger.not_applied(call.db, arrival.seq)
        self._around(arrival, call)
        ledger.conclude(
            call.db,
            arrival.seq,
            told=arrival.told(kept.status),
            outcome=kept.status,
            replayed=True,
        )
        mark = {"Idempotent-Replayed": "true"} if self._parts.settings.replay_header else {}
        return self._answer(arrival, kept, mark)

    def _refused(self, arrival: Arrival, refusal: ApiError) -> Answer:
        now = self._parts.clock.now()
        with self._parts.store.transaction() as db:
            parts = self._parts
            self._around(arrival, Call(db, int(now), parts.store.account, settings=parts.settings))
            ledger.conclude(
                db,
                arrival.seq,
                told=arrival.told(refusal.status),
                outcome=refusal.status,
                error=refusal.code or refusal.kind,
            )
        body = encode(refusal.body(arrival.request_id, int(now)))
        return self._answer(
            arrival, Kept(refusal.status, body, arrival.request_id), refusal.headers
        )

    def _answer(self, arrival: Arrival, kept: Kept, headers: dict[str, str]) -> Answer:
        return Answer(
            kept.status, kept.body, {**standard_headers(arrival, kept.request_id), **headers}
        )


def standard_headers(arrival: Arrival, original: str) -> dict[str, str]:
    """The headers that every JSON answer bears; ``original`` is the first request of the key."""
    request = arrival.request
    headers = {
        "Content-Type": "application/json",
        "Request-Id": arrival.request_id,
        "Stripe-Version": request.headers.get("stripe-version", API_VERSION),
    }
    if request.key is not None:
        headers["Idempotency-Key"] = request.key
        headers["Original-Request"] = original
    return headers


def _instead(strike: Fault | None) -> ApiError | None:
    """The answer that a fault puts in the place of the execution."""
    if strike is None:
        return None
    if strike.kind == "500_before":
        return server_error()
    if strike.kind == "lock_timeout":
        return lock_timeout()
    if strike.kind == "400":
        return invalid(strike.option("message"), code=strike.option("code") or None)
    return None
