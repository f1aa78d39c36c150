"""The page as a whole: what it covers, its parts, and how it was made."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from importlib.resources import files

from aimeter_cli.domain.periods import zone
from aimeter_cli.render.html.figures import day, days, moment, plural
from aimeter_cli.render.html.health import headline, health
from aimeter_cli.render.html.markup import LINE, Child, Markup, document, element, style
from aimeter_cli.render.html.overages import by_customer
from aimeter_cli.render.html.usage import by_model, by_time, sums
from aimeter_cli.services.reports.overview import Overview
from aimeter_cli.services.reports.span import Span

GENERATOR = "aimeter usage report"
_MOMENT = timedelta(microseconds=1)


def page(found: Overview) -> str:
    """A document that asks for nothing: no script, no other file; its policy forbids both."""
    css = files("aimeter_cli.render.html").joinpath("page.css").read_text(encoding="utf-8")
    title = f"Usage, {_covered(found.span)}"
    return document(
        [(each, LINE) for each in _head(title, css)],
        element("main", [(each, LINE) for each in _body(found)]),
    )


def _head(title: str, css: str) -> Iterator[Markup]:
    digest = b64encode(sha256(css.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    yield element("meta", charset="utf-8")
    yield element("meta", name="generator", content=GENERATOR)
    yield element("meta", http_equiv="Content-Security-Policy", content=policy)
    yield element("meta", name="viewport", content="width=device-width, initial-scale=1")
    yield element("meta", name="color-scheme", content="light dark")
    yield element("meta", name="referrer", content="no-referrer")
    yield element("title", title)
    yield style(css)


def _body(found: Overview) -> Iterator[Markup]:
    who = found.usage.billable
    yield element(
        "header",
        element("p", "Usage report", class_="kind"),
        element("h1", _covered(found.span)),
        element("p", "All billables" if who is None else f"Only {who}", class_="filter"),
    )
    if found.usage.rows:
        yield _section("usage", "Usage", [sums(found), _notes(found), *by_time(found)])
        yield _section("models", "By model", by_model(found))
    else:
        nothing = element("p", f"No usage {found.span.in_words}.", class_="empty")
        yield _section("usage", "Usage", nothing)
    yield _section("overages", "Overages", _overages(found))
    if found.status is not None:
        yield _section(
            "sync", "Sync to Stripe", [headline(found.status), *health(found.status, found.made_at)]
        )
    yield _footer(found)


def _section(key: str, title: str, content: Child) -> Markup:
    heading = element("h2", title, id=f"{key}-heading")
    return element("section", heading, LINE, content, id=key, aria_labelledby=f"{key}-heading")


def _overages(found: Overview) -> Iterator[Markup]:
    if not found.overages.by_status:
        yield element("p", "Nobody went beyond a plan.", class_="empty")
        return
    yield element(
        "p",
        "Whole amounts of the service periods that have some time in common with this report, in "
        "the currency of the plan.",
        class_="note",
    )
    yield from by_customer(found.overages)


def _notes(found: Overview) -> Iterator[Markup]:
    unpriced = sum(total.unpriced for total in found.usage.totals)
    if unpriced:
        told = f"{plural(unpriced, 'usage')} without a price: their cost is not in these sums."
        yield element("p", told, class_="note warning")
    if found.usage.is_inexact:
        yield element(
            "p",
            "Part of this usage was pruned: only its sums by day of UTC are known, and each is "
            "counted as the day of that date.",
            class_="note",
        )


def _footer(found: Overview) -> Markup:
    told: list[Child] = [
        ["Made ", moment(found.made_at), f" by aimeter from database {found.database}."],
        [
            f"Usage that occurred {found.span.in_words}, the end not included; days of ",
            f"{found.span.timezone}. Of each currency the {found.limit} largest models and ",
            "customers stand by themselves.",
        ],
    ]
    if found.status is not None:
        told.append("The sync is that of the whole installation, as it stood then.")
    return element("footer", [element("p", each) for each in told])


def _covered(span: Span) -> str:
    """Its first and its last day, with the time where it begins or ends within one."""
    local = zone(span.timezone)
    until = span.until.astimezone(local)
    last = (until - _MOMENT).date()
    since = span.since.astimezone(local) if span.since is not None else None
    end = day(last) if _is_midnight(until) else f"{day(last)}, {until:%H:%M}"
    if since is None:
        return f"Until {end}"
    if _is_midnight(since) and _is_midnight(until):
        return days(since.date(), last)
    begin = day(since.date()) if _is_midnight(since) else f"{day(since.date())}, {since:%H:%M}"
    return f"{begin} – {end}"


def _is_midnight(moment: datetime) -> bool:
    """In its own zone, also where a day begins later because the clocks went forward."""
    start = datetime(moment.year, moment.month, moment.day, tzinfo=moment.tzinfo)
    return start.astimezone(UTC) == moment.astimezone(UTC)
