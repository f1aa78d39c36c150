"""What stands beside a progress bar: how many of how many, how fast, how long still."""

from __future__ import annotations

from datetime import timedelta
from math import ceil

from rich.progress import ProgressColumn, Task
from rich.text import Text


class Done(ProgressColumn):
    """``1,200 of 5,000``; without a total ``1,200``."""

    def render(self, task: Task) -> Text:
        of = "" if task.total is None else f" of {task.total:,.0f}"
        return Text(f"{task.completed:,.0f}{of}")


class Rate(ProgressColumn):
    """``350/s``, or ``4.2/s`` where it is slow; nothing before there is any."""

    def render(self, task: Task) -> Text:
        speed = _speed(task)
        if not speed:
            return Text()
        return Text(f"{speed:,.0f}/s" if speed >= 10 else f"{speed:.1f}/s")


class Left(ProgressColumn):
    """``0:02:10 left``; without a total, or before there is a rate, the time that has passed."""

    def render(self, task: Task) -> Text:
        speed = _speed(task)
        if task.total is None or not speed:
            return Text(_clock(task.elapsed or 0))
        return Text(f"{_clock(task.remaining / speed)} left" if task.remaining else "")


def _speed(task: Task) -> float | None:
    return task.finished_speed or task.speed


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=ceil(seconds)))
