"""What Stripe says of its deliveries to us. A few requests; whatever it answers is a finding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from aimeter_cli.app import App
from aimeter_cli.billing.base import Reply
from aimeter_cli.billing.directory import DirectoryDriver, Object, directory_of
from aimeter_cli.doctor.check import Check
from aimeter_cli.doctor.webhooks import SILENCE
from aimeter_cli.domain.sync import Answer
from aimeter_cli.repositories.webhook_events import stored_states
from aimeter_cli.services.health import PULL, RECENT
from aimeter_cli.services.jobs import last_run
from aimeter_cli.webhooks.registry import HANDLERS

MOST = 200
"""Undelivered events that are counted: two pages of Stripe's list."""
_SHOWN = 4


def deliveries(app: App) -> Iterator[Check]:
    """The endpoints, then what they have not taken; the second only if the first was answered."""
    driver = directory_of(app.driver)
    if driver is None:
        yield Check("endpoint", "skipped", "there is no key to ask Stripe with")
        return
    found = driver.webhook_endpoints()
    if isinstance(found, Reply):
        yield _unanswered("endpoint", found, "webhook endpoints")
        if found.answer is not Answer.MISCONFIGURED:
            return
    else:
        yield from _endpoints(found, is_pulled=_is_pulled(app))
    yield _undelivered(app, driver)


def _endpoints(found: Sequence[Object], *, is_pulled: bool) -> Iterator[Check]:
    """One enabled endpoint with every type that we need is enough; so is a pull in cron."""
    enabled = [each for each in found if each.get("status") == "enabled"]
    best = min(enabled, key=lambda each: len(_missing(each)), default=None)
    missing = _missing(best) if best is not None else list(HANDLERS)
    if best is None or len(missing) == len(HANDLERS):
        off = [str(each.get("url")) for each in found if each.get("status") != "enabled"]
        told = "no endpoint at Stripe is subscribed to the events that we need"
        told += f" (disabled: {', '.join(off[:_SHOWN])})" if off else ""
        yield _by(
            told, is_pulled,
            "Enable or add one at Stripe that leads to aimeter webhooks serve or to your "
            "application, or put aimeter webhooks pull into a crontab.",
        )  # fmt: skip
        return
    url = best.get("url")
    if missing:
        told = f"{url} is not subscribed to {', '.join(missing)}"
        yield _by(told, is_pulled, "Add these types to the endpoint at Stripe.")
    else:
        yield Check("endpoint", "ok", f"{url} is subscribed to every type that we need")


def _by(told: str, is_pulled: bool, hint: str) -> Check:
    if is_pulled:
        return Check("endpoint", "ok", f"{told}; aimeter webhooks pull fetches them")
    return Check("endpoint", "warning", told, hint)


def _missing(endpoint: Object) -> list[str]:
    enabled = endpoint.get("enabled_events") or ()
    return [] if "*" in enabled else [kind for kind in HANDLERS if kind not in enabled]


def _is_pulled(app: App) -> bool:
    with app.database.read() as session:
        pull = last_run(session, PULL, succeeded=True)
    ended = pull.finished_at if pull is not None else None
    return ended is not None and app.now() - ended <= SILENCE


def _undelivered(app: App, driver: DirectoryDriver) -> Check:
    """Counted are those that have not come in through another door since."""
    since = int((app.now() - RECENT).timestamp())
    listed = list(islice(driver.events(list(HANDLERS), since, undelivered=True), MOST))
    if listed and isinstance(listed[-1], Reply):
        return _unanswered("undelivered", listed[-1], "events")
    events = [each for each in listed if not isinstance(each, Reply)]
    ids = [str(each.get("id")) for each in events]
    with app.database.read() as session:
        known = {event_id for _, event_id in stored_states(session, ids)}
    number = sum(each not in known for each in ids)
    if not number:
        told = f"no event of the last {RECENT.days} days is missing here"
        return Check("undelivered", "ok", told)
    least = "at least " if len(listed) == MOST else ""
    told = f"{least}{number} event(s) of the last {RECENT.days} days were not delivered"
    return Check("undelivered", "warning", told, "aimeter webhooks pull --undelivered")


def _unanswered(name: str, reply: Reply, what: str) -> Check:
    reason = reply.reason or "no reason given"
    if reply.answer is Answer.MISCONFIGURED:
        told = f"the key may not read {what}: {reason}"
        hint = f"Let the restricted key read {what}, or look at Stripe's dashboard."
        return Check(name, "warning", told, hint)
    return Check(name, "warning", f"Stripe does not tell its {what}: {reason}", "Try again later.")
