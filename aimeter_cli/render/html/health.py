"""The page's part about the sync: whether it runs, and what waits for somebody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from aimeter_cli.render.html.figures import age, count, moment, money, plural
from aimeter_cli.render.html.markup import Child, Markup, clipped, element
from aimeter_cli.render.html.table import Heading, facts, table
from aimeter_cli.services.status import JobStatus, Status
from aimeter_cli.services.sync.blocked import Blocked

_EXITS = {0: "done", 3: "done, but single rows failed"}
_UNSENT = (
    Heading("Oldest"), Heading("Overages", is_number=True),
    Heading("Amount", is_number=True),
)  # fmt: skip
_BLOCKED = (
    Heading("Reason"), Heading("Overages", is_number=True), Heading("What to do"),
)  # fmt: skip


def headline(found: Status) -> Markup:
    """One sentence about it, with its colour."""
    problems = [clipped(each) for each in found.problems]
    if found.unsynced and found.jobs[0].last_success_at is None:
        problems.append("the sync has never succeeded")
    if found.blocked:
        problems.append(f"{plural(found.blocked, 'overage')} cannot be sent until somebody acts")
    word, text = ("Attention", "; ".join(problems)) if problems else ("Well", "nothing waits")
    return element(
        "p", element("strong", word), f": {text}.", class_=f"headline {word.lower()}"
    )  # fmt: skip


def health(found: Status, made_at: datetime) -> Iterator[Markup]:
    sync = found.jobs[0]
    pairs: list[tuple[str, Child]] = [
        ("Last run", _last_run(sync)),
        ("Last success", _last_success(sync, made_at)),
        ("Paused", _paused(found)),
        ("Failed", count(found.failed)),
        ("Held", count(found.held)),
        ("Without a clear answer", count(found.unknown)),
        ("Requests to be tried again", count(found.backing_off)),
        ("On items that no run will send", count(found.stranded)),
        ("Events of Stripe not handled yet", count(found.webhooks_due)),
    ]
    yield facts(pairs)
    if found.unsynced:
        yield table(
            "Overages on no invoice yet",
            _UNSENT,
            [
                (
                    moment(each.oldest_at), count(each.count),
                    money(each.amount, each.currency),
                )
                for each in found.unsynced
            ],
        )  # fmt: skip
    if found.blocked_reasons:
        yield table(
            "Overages that cannot be sent",
            _BLOCKED,
            [
                (each.reason.replace("_", " "), count(each.count), _to_do(each))
                for each in found.blocked_reasons
            ],
        )


def _to_do(blocked: Blocked) -> Child:
    detail = element("span", clipped(blocked.detail), class_="beside") if blocked.detail else None
    return [element("code", clipped(blocked.hint)), detail]


def _last_run(sync: JobStatus) -> Child:
    if sync.started_at is None:
        return "never"
    if sync.finished_at is None:
        return [moment(sync.started_at), ", not ended"]
    code = sync.exit_code if sync.exit_code is not None else 0
    told = _EXITS.get(code, f"exit {code}")
    error = f": {clipped(sync.error)}" if sync.error else ""
    return [moment(sync.finished_at), f", {told}{error}"]


def _last_success(sync: JobStatus, made_at: datetime) -> Child:
    if sync.last_success_at is None:
        return "never"
    seconds = int((made_at - sync.last_success_at).total_seconds())
    before = f", {age(seconds)} before this page" if seconds > 0 else ""
    return [moment(sync.last_success_at), before]


def _paused(found: Status) -> Child:
    if not found.is_paused or found.paused_at is None:
        return "no"
    return ["since ", moment(found.paused_at), f": {clipped(found.paused_reason or 'no reason')}"]
