"""The gate: notes every request on arrival and lets the faults have their way with it."""

import threading
from collections.abc import Callable

from . import ledger, persons
from .call import Call
from .exchange import Answer, Request, encode, gateway_answer
from .execution import Arrival, Executor, standard_headers
from .faults import Fault
from .identifiers import new_id
from .parts import Parts
from .refusals import ApiError, key_in_use, rate_limited

_OWNED = {"invoiceitems": "items", "invoices": "invoices", "subscriptions": "subscriptions"}


class Gate:
    """``outage(seconds)`` closes the listener for that long and returns once it is closed."""

    def __init__(self, parts: Parts, outage: Callable[[float], None]) -> None:
        self._parts, self._outage = parts, outage
        self._executor = Executor(parts)

    def handle(self, request: Request) -> Answer:
        """Take a request through to its answer, which may be none."""
        arrival = self._arrive(request)
        return self._struck(arrival, arrival.plan.strike)

    def _arrive(self, request: Request) -> Arrival:
        request_id, now = new_id("req"), self._parts.clock.now()
        with self._parts.store.transaction() as db:
            call = Call(
                db, int(now), self._parts.store.account, by="person", settings=self._parts.settings
            )
            customer = _customer(call, request)
            plan = self._parts.faults.plan(db, request.method, request.path, customer)
            seq = ledger.arrive(
                db,
                time=now,
                method=request.method,
                path=request.path,
                form=request.form,
                key=request.key,
                customer=customer,
                request_id=request_id,
                fault=plan.named(),
            )
            call.request = seq
            for fault in plan.around:
                if fault.option("when") == "before":
                    persons.around(call, fault, self._parts.clock, customer, request.path)
        return Arrival(request, seq, request_id, customer, plan)

    def _struck(self, arrival: Arrival, strike: Fault | None) -> Answer:
        kind = arrival.kind
        if strike is None:
            return self._executor.run(arrival)
        if kind == "refuse":
            self._outage(strike.number("for"))
        if kind in ("refuse", "reset"):
            return Answer(delivery="reset")
        if kind == "409":
            return self._without(arrival, key_in_use(arrival.request.key or ""))
        if kind == "429":
            wait = strike.number("retry_after") if strike.option("retry_after") else None
            return self._without(arrival, rate_limited(wait))
        if kind == "502":
            self._conclude(arrival, 502)
            return gateway_answer()
        if kind == "502_late":
            return self._late(arrival, strike, gateway_answer(), holds_key=True)
        if kind == "held":
            answer = Answer(delivery="reset")
            if strike.option("answer") == "timeout":
                answer = Answer(delivery="silence", seconds=strike.number("seconds"))
            return self._late(arrival, strike, answer, holds_key=False)
        return _delivered(self._executor.run(arrival), strike)

    def _late(self, arrival: Arrival, strike: Fault, answer: Answer, holds_key: bool) -> Answer:
        """Give ``answer`` now and execute in the background after the fault's delay."""
        started = threading.Event()
        refused: list[ApiError] = []

        def execute() -> None:
            key = arrival.request.key if holds_key else None
            try:
                with self._parts.traffic.holding_up(), self._parts.traffic.key(key):
                    started.set()
                    if not self._parts.stop.wait(strike.number("delay")):
                        self._executor.run(arrival, holds_key=holds_key)
            except ConnectionAbortedError:
                return
            except ApiError as refusal:
                refused.append(refusal)
                started.set()

        threading.Thread(target=execute, daemon=True).start()
        started.wait()
        if refused:
            return self._without(arrival, refused[0])
        self._tell(arrival, answer.status or None)
        return answer

    def _without(self, arrival: Arrival, refusal: ApiError) -> Answer:
        """Refuse without execution."""
        self._conclude(arrival, refusal.status, refusal.code or refusal.kind)
        body = refusal.body(arrival.request_id, int(self._parts.clock.now()))
        headers = {**standard_headers(arrival, arrival.request_id), **refusal.headers}
        return Answer(refusal.status, encode(body), headers)

    def _conclude(self, arrival: Arrival, status: int, error: str | None = None) -> None:
        with self._parts.store.transaction() as db:
            ledger.conclude(db, arrival.seq, told=status, outcome=None, error=error)

    def _tell(self, arrival: Arrival, status: int | None) -> None:
        with self._parts.store.transaction() as db:
            db.execute("UPDATE ledger SET status = ? WHERE seq = ?", (status, arrival.seq))


def _delivered(answer: Answer, strike: Fault) -> Answer:
    """The answer of an execution, as the fault lets it through."""
    if strike.kind == "lost":
        return Answer(delivery="reset")
    if strike.kind == "hang":
        return Answer(delivery="silence", seconds=strike.number("seconds"))
    if strike.kind == "truncate":
        answer.delivery = "truncate"
    if strike.kind == "slow" and strike.option("when") == "after":
        answer.seconds = strike.number("delay")
    return answer


def _customer(call: Call, request: Request) -> str | None:
    """The customer that a request names, or whose object it names."""
    parts = request.path.split("/")
    if len(parts) > 3 and parts[2] == "customers" and parts[3] != "search":
        return parts[3]
    if len(parts) > 3 and parts[2] in _OWNED:
        row = call.db.execute(
            f"SELECT customer FROM {_OWNED[parts[2]]} WHERE id = ?", (parts[3],)
        ).fetchone()
        return None if row is None else str(row["customer"])
    return next((value for name, value in request.form if name == "customer"), None)
