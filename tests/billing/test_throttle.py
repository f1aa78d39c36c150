"""The token bucket, on a clock of its own."""

from __future__ import annotations

import pytest

from aimeter_cli.billing.throttle import Throttle


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


def times(throttle: Throttle, time: Time, count: int) -> list[float]:
    taken = []
    for _ in range(count):
        throttle.acquire()
        taken.append(round(time.now - 100, 3))
    return taken


def test_after_a_pause_a_few_go_at_once_and_the_others_are_spread_evenly(time: Time) -> None:
    throttle = Throttle(20, clock=time.clock, sleep=time.sleep)
    assert times(throttle, time, 8) == [0, 0, 0, 0, 0, 0.05, 0.1, 0.15]


@pytest.mark.parametrize(("rate", "most"), [(1, 1), (4, 5), (20, 25), (100, 105)])
def test_no_second_sees_more_than_the_rate_and_a_burst(time: Time, rate: int, most: int) -> None:
    throttle = Throttle(rate, clock=time.clock, sleep=time.sleep)
    taken = times(throttle, time, 3 * rate + 10)
    assert max(sum(t <= s < t + 1 for s in taken) for t in taken) <= most


def test_a_long_pause_saves_up_no_more_than_a_short_one(time: Time) -> None:
    throttle = Throttle(20, clock=time.clock, sleep=time.sleep)
    throttle.acquire()
    time.now += 3600
    assert times(throttle, time, 6)[-2:] == [3600, 3600.05]


def test_a_turn_that_comes_too_late_is_not_taken(time: Time) -> None:
    throttle = Throttle(1, clock=time.clock, sleep=time.sleep)
    assert throttle.acquire(before=100.5)
    assert not throttle.acquire(before=100.5)
    assert time.now == 100  # nobody slept for it
    assert throttle.acquire(before=101)


def test_a_429_halves_the_rate_and_it_recovers_by_one_each_second(time: Time) -> None:
    throttle = Throttle(20, clock=time.clock, sleep=time.sleep)
    throttle.slow_down()
    assert throttle.rate == 10
    throttle.slow_down()  # the same burst: counts once
    assert throttle.rate == 10
    time.now += 4
    assert throttle.rate == 14
    throttle.slow_down()
    assert throttle.rate == 7
    time.now += 100
    assert throttle.rate == 20


def test_the_rate_never_falls_below_one_a_second(time: Time) -> None:
    throttle = Throttle(2, clock=time.clock, sleep=time.sleep)
    for _ in range(10):
        throttle.slow_down()
        time.now += 0.6
    assert throttle.rate >= 1
