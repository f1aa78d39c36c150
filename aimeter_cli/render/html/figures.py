"""Money, counts and times as people read them on a page."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal

from aimeter_cli.domain.currency import minor_unit
from aimeter_cli.domain.money import display
from aimeter_cli.domain.periods import iso
from aimeter_cli.render.html.markup import Markup, element


def count(number: int) -> Markup:
    return element("data", f"{number:,}", value=number)


def money(amount: Decimal, currency: str, *, finest: int = 0) -> Markup:
    """To the last digit that is there; those below the minor unit are paler.

    ``finest``: how many of them the longest of the column has, so that the points stand in line.
    """
    text = display(amount, currency)
    places = minor_unit(currency).decimals
    fine = _fine(amount, currency)
    plain, pale = (text[: len(text) - fine], text[len(text) - fine :]) if fine else (text, "")
    if fine and not places:  # the point, too: 12 JPY and a part of a yen
        plain, pale = plain[:-1], f".{pale}"
    width = finest + (1 if finest and not places else 0)
    return element(
        "data",
        plain,
        element("span", pale, class_=f"fine w{width}") if width or pale else None,
        element("span", f" {currency.upper()}", class_="currency"),
        value=f"{amount:.9f}",
    )


def finest(amounts: Iterable[tuple[Decimal, str]]) -> int:
    """The most digits below the minor unit that one of these amounts has."""
    return max((_fine(amount, currency) for amount, currency in amounts), default=0)


def moment(time: datetime) -> Markup:
    """To the minute, in UTC."""
    utc = time.astimezone(UTC)
    return element(
        "time", f"{day(utc.date())}, {utc:%H:%M} UTC", datetime=iso(utc.replace(microsecond=0))
    )


def day(date: date) -> str:
    """``9 November 2026``."""
    return f"{date.day} {date:%B} {date.year}"


def days(first: date, last: date) -> str:
    """``1 – 30 November 2026``, with no word twice."""
    if first == last:
        return day(last)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} – {day(last)}"
    begin = f"{first.day} {first:%B}" if first.year == last.year else day(first)
    return f"{begin} – {day(last)}"


def age(seconds: int) -> str:
    """``3 minutes``, in the largest unit that fits."""
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            return plural(seconds // size, unit)
    return plural(seconds, "second")


def plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def bar(part: Decimal | int, largest: Decimal | int) -> Markup:
    """How large a part is beside the largest; what it says stands beside it in figures."""
    length = int(1000 * min(part, largest) / largest) if part > 0 and largest > 0 else 0
    rect = element("rect", width=max(length, 5), height=1) if length or part > 0 else None
    return element(
        "svg", rect, class_="bar", viewBox="0 0 1000 1", preserveAspectRatio="none",
        aria_hidden="true",
    )  # fmt: skip


def _fine(amount: Decimal, currency: str) -> int:
    _, _, fraction = display(amount, currency).partition(".")
    return len(fraction) - minor_unit(currency).decimals if fraction else 0
