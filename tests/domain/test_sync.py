"""The state machine, walked whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aimeter_cli.domain.sync import (
    TRANSITIONS,
    Action,
    Answer,
    Step,
    backoff,
    entry_step,
    idempotency_key,
    next_move,
)

SENT = {
    Answer.DONE, Answer.NOT_EXECUTED, Answer.LOST, Answer.SERVER_ERROR, Answer.REPLAYED_ERROR,
    Answer.REFUSED, Answer.NO_DRAFT, Answer.KEY_MISMATCH, Answer.MISCONFIGURED,
}  # fmt: skip
READ = {
    Answer.APPLIED, Answer.ABSENT, Answer.QUIET, Answer.DUPLICATE, Answer.CHANGED, Answer.GONE,
    Answer.CLOSED, Answer.UNREADABLE, Answer.MISCONFIGURED,
}  # fmt: skip
SENDING = {Step.SEND, Step.PROVE}

# answer → (action, next step), for each step. ! costs an attempt, ? a request may be under way.
TABLE = """
send    done            settle
send    not_executed    wait send !
send    lost            wait send ! ?
send    server_error    wait prove ! ?
send    replayed_error  go_on proven
send    refused         go_on inspect
send    no_draft        go_on look_up
send    key_mismatch    wait look_up !
send    misconfigured   stop
prove   done            settle
prove   not_executed    wait prove !
prove   lost            wait prove ! ?
prove   server_error    wait look_up ! ?
prove   replayed_error  go_on proven
prove   refused         go_on inspect
prove   no_draft        go_on look_up
prove   key_mismatch    wait look_up !
prove   misconfigured   stop
check   applied         settle
check   absent          go_on send
check   quiet           go_on send
check   duplicate       fail
check   changed         hold
check   gone            hold
check   closed          close
check   unreadable      wait check !
check   misconfigured   stop
look_up applied         settle
look_up absent          wait look_up
look_up quiet           raise
look_up duplicate       fail
look_up changed         hold
look_up gone            hold
look_up closed          close
look_up unreadable      wait look_up !
look_up forgotten       adopt
look_up misconfigured   stop
proven  applied         settle
proven  absent          raise
proven  quiet           raise
proven  duplicate       fail
proven  changed         hold
proven  gone            hold
proven  closed          close
proven  unreadable      wait proven !
proven  forgotten       adopt
proven  misconfigured   stop
inspect applied         settle
inspect absent          fail
inspect quiet           fail
inspect duplicate       fail
inspect changed         hold
inspect gone            hold
inspect closed          close
inspect unreadable      wait check !
inspect misconfigured   stop
"""
ROWS = [line.split() for line in TABLE.strip().splitlines()]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "-".join(row[:2]))
def test_every_answer_at_every_step_has_its_move(row: list[str]) -> None:
    step, answer, action, *rest = row
    move = next_move(Step(step), Answer(answer))
    assert move.action is Action(action)
    if move.action in (Action.WAIT, Action.GO_ON):
        assert move.step is Step(rest[0])
    if move.action is Action.WAIT:
        assert move.costs is ("!" in rest)
        assert move.unanswered is ("?" in rest)


def test_the_table_has_exactly_the_answers_that_a_step_can_get() -> None:
    expected = {(s, a) for s in Step for a in (SENT if s in SENDING else READ)}
    expected |= {(s, Answer.FORGOTTEN) for s in (Step.LOOK_UP, Step.PROVEN)}  # creates are found so
    assert set(TRANSITIONS) == expected
    assert {(Step(row[0]), Answer(row[1])) for row in ROWS} == expected


def test_nothing_but_a_look_up_raises_the_generation() -> None:
    raising = {key for key, move in TRANSITIONS.items() if move.action is Action.RAISE}
    assert raising == {
        (Step.LOOK_UP, Answer.QUIET),
        (Step.PROVEN, Answer.QUIET),
        (Step.PROVEN, Answer.ABSENT),
    }


def test_an_answer_that_a_step_cannot_get_is_a_fault_of_the_driver() -> None:
    with pytest.raises(KeyError):
        next_move(Step.SEND, Answer.ABSENT)


SENT_AT = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("stored", "is_update", "hours", "expected"),
    [
        (Step.SEND, False, 0, Step.SEND),
        (Step.SEND, False, 20, Step.SEND),
        (Step.SEND, False, 20.1, Step.LOOK_UP),
        (Step.SEND, True, 1, Step.CHECK),
        (Step.CHECK, True, 21, Step.LOOK_UP),
        (Step.PROVE, True, 1, Step.PROVE),
        (Step.PROVE, False, 21, Step.LOOK_UP),
        (Step.PROVEN, False, 100, Step.PROVEN),
        (Step.LOOK_UP, True, 0, Step.LOOK_UP),
    ],
)
def test_a_key_is_used_for_twenty_hours_and_updates_are_read_first(
    stored: Step, is_update: bool, hours: float, expected: Step
) -> None:
    now = SENT_AT + timedelta(hours=hours)
    assert entry_step(stored, is_update=is_update, first_sent_at=SENT_AT, now=now) is expected


def test_back_off_doubles_from_thirty_seconds_to_six_hours() -> None:
    waits = [backoff(n, 1.0).total_seconds() for n in (0, 1, 2, 3, 10, 11, 1000)]
    assert waits == [30, 30, 60, 120, 15_360, 21_600, 21_600]
    assert backoff(1, 0.5).total_seconds() == 15


def test_the_key_names_installation_item_version_and_generation() -> None:
    assert idempotency_key("i1", "u2", 3, 4) == "aimeter:i1:u2:v3:g4"
