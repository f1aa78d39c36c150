"""The sync's state machine: where an item stands, what Stripe answered, what to do next.

Source: DESIGN.md, "Overage → Stripe". Pure: a table from (step, answer) to a move, which tests walk
whole. ``steps`` are places at which a process may die and another may take over; ``answers`` are
what a driver can tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

KEY_WINDOW = timedelta(hours=20)
"""How long after its first send a key is used again. Stripe keeps keys at least 24 hours."""

BACKOFF_FIRST = 30.0
BACKOFF_MOST = 6 * 3600.0
UNREACHABLE_LIMIT = 5
"""So many rows unreachable in a row stop the run."""


class Step(StrEnum):
    """What is to be done next with a version of an item."""

    CHECK = "check"  # read the pending item before it is updated
    SEND = "send"  # send the stored request under its key
    PROVE = "prove"  # a 5xx came back: the same again, until the answer is a replay
    LOOK_UP = "look_up"  # find out what became of it; absence needs the quiet time
    PROVEN = "proven"  # the key is spent: absence can be believed at once
    INSPECT = "inspect"  # an update was refused: read the item to see why


class Answer(StrEnum):
    """What came back from a send, or what reading the item showed."""

    DONE = "done"
    NOT_EXECUTED = "not_executed"  # refused connection, 429 rate limit, 409 key in use
    LOST = "lost"  # time-out, reset, truncated body
    SERVER_ERROR = "server_error"  # 5xx, 429 lock_timeout
    REPLAYED_ERROR = "replayed_error"  # the same, marked Idempotent-Replayed
    REFUSED = "refused"  # 400, 402, 404
    NO_DRAFT = "no_draft"  # the same to a create that names a draft, which takes no items any more
    KEY_MISMATCH = "key_mismatch"  # 400 idempotency_error
    MISCONFIGURED = "misconfigured"  # 401, 403

    APPLIED = "applied"  # the item is there with our version and amount
    ABSENT = "absent"  # not there, or still as confirmed before
    QUIET = "quiet"  # absent, and nothing can be under way any more
    FORGOTTEN = "forgotten"  # ours, of before a restore: the database does not know it
    DUPLICATE = "duplicate"  # the item is there twice
    CHANGED = "changed"  # its amount is none that we ever set
    GONE = "gone"  # a person deleted it
    CLOSED = "closed"  # its invoice is no longer a draft
    UNREADABLE = "unreadable"  # the reading itself failed


class Action(StrEnum):
    """What the engine does next."""

    SETTLE = "settle"  # item and overages are synced
    WAIT = "wait"  # back off, then go on at ``step``
    GO_ON = "go_on"  # at once, at ``step``
    RAISE = "raise"  # a new generation, sent at once under its new key
    ADOPT = "adopt"  # take over what was made before a restore, then set the amount
    FAIL = "fail"  # refused: a person must act
    HOLD = "hold"  # a person has acted: never overwritten silently
    CLOSE = "close"  # read once more, then move on to the next sequence
    STOP = "stop"  # our configuration: release the claims, stop the run


@dataclass(frozen=True, slots=True)
class Move:
    """``costs``: counts as an attempt and backs off further; ``unanswered``: a request may still
    be under way from now on; ``known``: the last send is known not to have executed."""

    action: Action
    step: Step = Step.SEND
    costs: bool = True
    unanswered: bool = False
    known: bool = False


_STOP = Move(Action.STOP)
_WAIT_SEND = Move(Action.WAIT, Step.SEND, costs=True, known=True)
_LOST = Move(Action.WAIT, Step.SEND, unanswered=True)
_LOOK_LATER = Move(Action.WAIT, Step.LOOK_UP)

_SENDING: dict[Answer, Move] = {
    Answer.DONE: Move(Action.SETTLE),
    Answer.NOT_EXECUTED: _WAIT_SEND,
    Answer.LOST: _LOST,
    Answer.SERVER_ERROR: Move(Action.WAIT, Step.PROVE, unanswered=True),
    Answer.REPLAYED_ERROR: Move(Action.GO_ON, Step.PROVEN),
    Answer.REFUSED: Move(Action.GO_ON, Step.INSPECT),
    Answer.NO_DRAFT: Move(Action.GO_ON, Step.LOOK_UP),
    Answer.KEY_MISMATCH: _LOOK_LATER,
    Answer.MISCONFIGURED: _STOP,
}

_READING: dict[Answer, Move] = {
    Answer.APPLIED: Move(Action.SETTLE),
    Answer.DUPLICATE: Move(Action.FAIL),
    Answer.CHANGED: Move(Action.HOLD),
    Answer.GONE: Move(Action.HOLD),
    Answer.CLOSED: Move(Action.CLOSE),
    Answer.MISCONFIGURED: _STOP,
}

TRANSITIONS: dict[tuple[Step, Answer], Move] = {
    **{(Step.SEND, answer): move for answer, move in _SENDING.items()},
    **{(Step.PROVE, answer): move for answer, move in _SENDING.items()},
    # No replay mark twice running: there may never be one. Then only the quiet time helps.
    (Step.PROVE, Answer.SERVER_ERROR): Move(Action.WAIT, Step.LOOK_UP, unanswered=True),
    # Behind a 5xx, what was not executed now may still be executing from before.
    (Step.PROVE, Answer.NOT_EXECUTED): Move(Action.WAIT, Step.PROVE),
    (Step.PROVE, Answer.LOST): Move(Action.WAIT, Step.PROVE, unanswered=True),
    **{
        (step, answer): move
        for step in (Step.CHECK, Step.LOOK_UP, Step.PROVEN, Step.INSPECT)
        for answer, move in _READING.items()
    },
    (Step.CHECK, Answer.ABSENT): Move(Action.GO_ON, Step.SEND),
    (Step.CHECK, Answer.QUIET): Move(Action.GO_ON, Step.SEND),
    (Step.CHECK, Answer.UNREADABLE): Move(Action.WAIT, Step.CHECK),
    (Step.LOOK_UP, Answer.ABSENT): Move(Action.WAIT, Step.LOOK_UP, costs=False),
    (Step.LOOK_UP, Answer.QUIET): Move(Action.RAISE),
    (Step.LOOK_UP, Answer.UNREADABLE): _LOOK_LATER,
    (Step.LOOK_UP, Answer.FORGOTTEN): Move(Action.ADOPT),
    (Step.PROVEN, Answer.FORGOTTEN): Move(Action.ADOPT),
    (Step.PROVEN, Answer.ABSENT): Move(Action.RAISE),
    (Step.PROVEN, Answer.QUIET): Move(Action.RAISE),
    (Step.PROVEN, Answer.UNREADABLE): Move(Action.WAIT, Step.PROVEN),
    (Step.INSPECT, Answer.ABSENT): Move(Action.FAIL),
    (Step.INSPECT, Answer.QUIET): Move(Action.FAIL),
    (Step.INSPECT, Answer.UNREADABLE): Move(Action.WAIT, Step.CHECK),
}


def next_move(step: Step, answer: Answer) -> Move:
    """The move for what Stripe answered at a step. KeyError: the driver broke its contract."""
    return TRANSITIONS[step, answer]


def entry_step(stored: Step, *, is_update: bool, first_sent_at: datetime, now: datetime) -> Step:
    """Where a claimed version really starts.

    A key older than the window may have been forgotten: look up instead of sending. Updates are
    read before they are sent, so that a person's change is not overwritten.
    """
    if stored in (Step.SEND, Step.PROVE, Step.CHECK) and now - first_sent_at > KEY_WINDOW:
        return Step.LOOK_UP
    if stored is Step.SEND and is_update:
        return Step.CHECK
    return stored


def backoff(attempts: int, jitter: float) -> timedelta:
    """30 s · 2ⁿ, at most 6 h, × ``jitter`` (0.5 to 1.5, chosen by the caller)."""
    seconds = BACKOFF_FIRST * 2.0 ** min(max(attempts - 1, 0), 20)
    return timedelta(seconds=min(seconds, BACKOFF_MOST) * jitter)


def idempotency_key(install: str, item: str, version: int, generation: int) -> str:
    """``aimeter:<install id>:<item id>:v<version>:g<generation>``."""
    return f"aimeter:{install}:{item}:v{version}:g{generation}"
