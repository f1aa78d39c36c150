"""Faults: what can go wrong with a request, and how to order it.

A fault is written ``KIND`` or ``KIND:OPTION=VALUE,OPTION=VALUE``, for example
``lost:path=/v1/invoiceitems,method=POST,nth=3`` or ``502_late:p=0.1,seed=7,delay=0.4``.

Which requests it strikes, of those under ``/v1/``:

* ``method=POST``, ``path=GLOB`` (``*`` also matches ``/``), ``customer=cus_…`` (the one that the
  request names, or whose object it names);
* of those that match, ``nth=N`` (the Nth only, from 1), or ``every=N``, or ``p=0.1`` with
  ``seed=7`` (the same draws in every run); ``times=N`` stops after N strikes.

Kinds that keep the request from executing:

* ``reset``: the connection is reset.
* ``refuse``: reset, and the listener refuses connections for ``for`` (1) seconds.
* ``409``: ``idempotency_key_in_use``.
* ``429``: ``rate_limit``; ``retry_after=SECONDS`` sends the header.
* ``502``: an HTML page of a gateway.
* ``500_before``, ``lock_timeout`` (429), ``400`` (``code``, ``message``): the API's own answer,
  stored under the idempotency key unless ``stored=no``.

Kinds that let it execute:

* ``lost``: executed, then the connection is reset.
* ``truncate``: executed, half of the body is sent.
* ``hang``: executed, no answer for ``seconds`` (30), then closed.
* ``500_after``: executed, answered and stored (unless ``stored=no``) as a 500.
* ``slow``: takes ``delay`` (0.2) seconds, ``when=before`` or ``after`` (default) it executes.
* ``502_late``: the gateway's HTML page at once, executed ``delay`` (0.5) seconds later; the key is
  in flight until then.
* ``held``: reset at once (``answer=timeout``: silence for ``seconds``, 30), and executed ``delay``
  (0.5) seconds later as if it arrived then, after later requests. Its key is free until then.

Kinds that happen around the request, ``when=before`` (default) or ``after`` it executes, beside any
other fault:

* ``finalize``: a person puts all that is pending for the request's customer on invoices and
  finalises them, and the drafts too.
* ``delete_item``, ``change_item`` (``amount=MINOR`` or ``add=MINOR``, default ``add=1``): a person
  deletes or changes the request's item, or the customer's newest item that can still change.
* ``clock``: the sandbox clock moves by ``seconds``.

Of the faults that strike one request, the first added one applies; those of the last group all do.
"""

import hashlib
import json
import sqlite3
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

_SELECTING = ("path", "method", "nth", "every", "times", "p", "seed", "customer")

KINDS: dict[str, dict[str, str]] = {
    "reset": {},
    "refuse": {"for": "1"},
    "409": {},
    "429": {"retry_after": ""},
    "502": {},
    "500_before": {"stored": "yes"},
    "lock_timeout": {"stored": "yes"},
    "400": {"stored": "yes", "code": "", "message": "The sandbox was told to refuse this."},
    "lost": {},
    "truncate": {},
    "hang": {"seconds": "30"},
    "500_after": {"stored": "yes"},
    "slow": {"delay": "0.2", "when": "after"},
    "502_late": {"delay": "0.5"},
    "held": {"delay": "0.5", "answer": "reset", "seconds": "30"},
    "finalize": {"when": "before"},
    "delete_item": {"when": "before"},
    "change_item": {"when": "before", "amount": "", "add": "1"},
    "clock": {"when": "before", "seconds": "0"},
}
"""Every kind with its own options and their defaults."""

AROUND = ("finalize", "delete_item", "change_item", "clock")

_CHOICES = {"stored": ("yes", "no"), "when": ("before", "after"), "answer": ("reset", "timeout")}
_WHOLE = ("nth", "every", "times", "amount", "add")
_NUMBERS = ("p", "for", "delay", "seconds", "retry_after")


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault in words: its kind and the options that were given."""

    kind: str
    options: dict[str, str] = field(default_factory=dict)

    def option(self, name: str) -> str:
        """An option's value or its default."""
        return self.options.get(name, KINDS[self.kind].get(name, ""))

    def number(self, name: str) -> float:
        """An option as a number, 0 when it is empty."""
        return float(self.option(name) or 0)

    def __str__(self) -> str:
        if not self.options:
            return self.kind
        return f"{self.kind}:" + ",".join(f"{k}={v}" for k, v in self.options.items())

    def matches(self, method: str, path: str, customer: str | None) -> bool:
        """Whether it is about this request at all."""
        return (
            self.options.get("method", method).upper() == method
            and fnmatchcase(path, self.options.get("path", "*"))
            and self.options.get("customer", customer) == customer
        )

    def strikes(self, seen: int, applied: int) -> bool:
        """Whether it strikes the ``seen``-th request that it matches, after ``applied`` strikes."""
        if "times" in self.options and applied >= int(self.options["times"]):
            return False
        if "nth" in self.options:
            return seen == int(self.options["nth"])
        if "every" in self.options:
            return seen % int(self.options["every"]) == 0
        if "p" in self.options:
            draw = _draw(self.options.get("seed", "0"), seen)
            return draw < float(self.options["p"])
        return True


def _draw(seed: str, count: int) -> float:
    """The ``count``-th draw of a seed, in [0, 1); needs no memory, so it outlives a restart."""
    digest = hashlib.sha256(f"{seed}:{count}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def parse(text: str) -> Fault:
    """Read the compact syntax; raises ValueError that says what is wrong with it."""
    kind, _, rest = text.partition(":")
    options = {}
    for part in filter(None, rest.split(",")):
        name, equals, value = part.partition("=")
        if not equals:
            raise ValueError(f"fault {text!r}: {part!r} is not OPTION=VALUE")
        options[name.strip()] = value.strip()
    return check(Fault(kind.strip(), options))


def check(fault: Fault) -> Fault:
    """Return the fault; raises ValueError for an unknown kind, option or value."""
    if fault.kind not in KINDS:
        raise ValueError(f"unknown fault {fault.kind!r}; there are {', '.join(KINDS)}")
    allowed = (*_SELECTING, *KINDS[fault.kind])
    for name, value in fault.options.items():
        problem = f"fault {fault.kind}: {name}={value}"
        if name not in allowed:
            raise ValueError(f"{problem}: unknown option; there are {', '.join(allowed)}")
        if name in _CHOICES and value not in _CHOICES[name]:
            raise ValueError(f"{problem}: must be one of {', '.join(_CHOICES[name])}")
        try:
            if name in _WHOLE and int(value) < 1 and name in ("nth", "every"):
                raise ValueError("too small")
            if name in _NUMBERS:
                float(value)
        except ValueError:
            raise ValueError(f"{problem}: not a number that makes sense") from None
    if len({"nth", "every", "p"} & fault.options.keys()) > 1:
        raise ValueError(f"fault {fault.kind}: give one of nth, every and p")
    return fault


@dataclass(slots=True)
class Plan:
    """What is to happen to one request."""

    strike: Fault | None = None
    around: list[Fault] = field(default_factory=list)

    def named(self) -> str | None:
        """The kinds, for the ledger; None without a fault."""
        kinds = [fault.kind for fault in (*self.around, self.strike) if fault is not None]
        return ",".join(kinds) or None


class Faults:
    """The faults that have been ordered, in the file, with their counts."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._any = db.execute("SELECT COUNT(*) FROM faults").fetchone()[0] > 0

    def add(self, db: sqlite3.Connection, fault: Fault) -> int:
        """Order a fault; returns its number."""
        spec = json.dumps([fault.kind, fault.options])
        cursor = db.execute("INSERT INTO faults (spec) VALUES (?)", (spec,))
        self._any = True
        return int(cursor.lastrowid or 0)

    def clear(self, db: sqlite3.Connection) -> None:
        """Call all of them off."""
        db.execute("DELETE FROM faults")
        self._any = False

    def listed(self, db: sqlite3.Connection) -> list[dict[str, object]]:
        """Number, words and counts of each."""
        return [
            {"id": row["id"], "fault": str(_stored(row)), "seen": row["seen"],
             "applied": row["applied"]}
            for row in db.execute("SELECT * FROM faults ORDER BY id")
        ]  # fmt: skip

    def plan(self, db: sqlite3.Connection, method: str, path: str, customer: str | None) -> Plan:
        """What strikes this request; counts it for every fault that it matches."""
        plan = Plan()
        if not self._any:
            return plan
        for row in db.execute("SELECT * FROM faults ORDER BY id").fetchall():
            fault = _stored(row)
            if not fault.matches(method, path, customer):
                continue
            strikes = fault.strikes(row["seen"] + 1, row["applied"])
            if strikes and fault.kind in AROUND:
                plan.around.append(fault)
            elif strikes and plan.strike is None:
                plan.strike = fault
            else:
                strikes = False
            db.execute(
                "UPDATE faults SET seen = seen + 1, applied = applied + ? WHERE id = ?",
                (strikes, row["id"]),
            )
        return plan


def _stored(row: sqlite3.Row) -> Fault:
    kind, options = json.loads(row["spec"])
    return Fault(kind, options)
