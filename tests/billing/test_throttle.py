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


def test_requests_are_spread_evenly_over_the_second(time: Time) -> None:
    throttle = Throttle(20, clock=time.clock, sleep=time.sleep)
    for _ in range(41):
        throttle.acquire()
    assert time.now == pytest.approx(102.0)


def test_an_idle_time_is_not_saved_up_for_a_burst(time: Time) -> None:
    throttle = Throttle(20, clock=time.clock, sleep=time.sleep)
    time.now += 60
    for _ in range(21):
        throttle.acquire()
    assert time.now == pytest.approx(161.0)


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
