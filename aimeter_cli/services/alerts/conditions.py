"""The conditions that hold now, by what :mod:`aimeter_cli.services.health` has measured.

A detail says since when, never for how long: it changes only when something has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from sqlmodel import Session

from aimeter_cli.domain.alerts import AlertKind, Condition
from aimeter_cli.domain.money import display
from aimeter_cli.domain.periods import iso
from aimeter_cli.domain.rates import Rate
from aimeter_cli.repositories.alerts import low_wallets
from aimeter_cli.services.health import RECENT, Health
from aimeter_cli.services.jobs import SUCCESSES, SYNC
from aimeter_cli.settings.alerts import AlertSink
from aimeter_cli.settings.table import Settings

WALLET_IS_USED = timedelta(days=30)
"""A wallet whose balance has not changed for longer begins no alert: nobody uses it."""
_SHOWN = 5

_Find = Callable[[Health, Settings, AlertSink], Iterator[Condition]]


def conditions(
    session: Session, found: Health, settings: Settings, sink: AlertSink
) -> list[Condition]:
    """What holds of that which the sink wants to know."""
    holding = [
        condition
        for kind, find in _FINDERS.items()
        if kind in sink.conditions
        for condition in find(found, settings, sink)
    ]
    if AlertKind.WALLET_LOW in sink.conditions:
        holding += _wallets(session, found.now, sink)
    return holding


def _sync_failing(found: Health, _: Settings, sink: AlertSink) -> Iterator[Condition]:
    since = found.status.unanswered_since
    if since is not None and found.clock - since > sink.sync_silence:
        yield Condition(
            AlertKind.SYNC_FAILING,
            f"Stripe has given no clear answer since {_time(since)}: "
            f"{found.status.backing_off} request(s) are tried again",
            "aimeter overages list --unsynced shows the errors; aimeter doctor",
            facts={"unanswered_since": iso(since), "backing_off": found.status.backing_off},
        )


def _sync_paused(found: Health, _: Settings, _sink: AlertSink) -> Iterator[Condition]:
    status = found.status
    if status.is_paused and status.paused_at is not None:
        reason = status.paused_reason or "no reason given"
        yield Condition(
            AlertKind.SYNC_PAUSED,
            f"the sync is paused since {_time(status.paused_at)}: {reason}",
            "aimeter sync resume",
            facts={"paused_at": iso(status.paused_at)},
        )


def _job_silent(found: Health, settings: Settings, sink: AlertSink) -> Iterator[Condition]:
    """Of the sync only where overages are sent anywhere, and while it is not paused."""
    expected = dict(sink.jobs)
    if settings.billing_driver != "null" and not found.status.is_paused:
        expected.setdefault(SYNC, sink.sync_silence)
    jobs = {job.command: job for job in found.status.jobs}
    for command, silence in expected.items():
        job = jobs.get(command)
        ended = job.last_success_at if job is not None else None
        if ended is not None and found.clock - ended <= silence:
            continue
        told = f"last succeeded {_time(ended)}" if ended else "has never succeeded"
        if job is not None and job.exit_code not in (None, *SUCCESSES):
            told += f"; its last run ended with exit {job.exit_code}"
            told += f": {job.error}" if job.error else ""
        yield Condition(
            AlertKind.JOB_SILENT, f"{command} {told}", f"aimeter status; then aimeter {command}",
            subject=command,
            facts={"command": command, "last_success_at": iso(ended) if ended else None},
        )  # fmt: skip


def _overages_blocked(found: Health, settings: Settings, _sink: AlertSink) -> Iterator[Condition]:
    if settings.billing_driver == "null":  # nothing is sent anywhere
        return
    by_reason = sorted(found.status.blocked_reasons, key=lambda each: each.reason)
    for reason, group in groupby(by_reason, key=lambda each: each.reason):
        blocked = list(group)
        count = sum(each.count for each in blocked)
        names = _few([name for each in blocked for name in each.billables])
        details = _few([each.detail for each in blocked if each.detail])
        why = f" ({details})" if details else ""
        yield Condition(
            AlertKind.OVERAGES_BLOCKED,
            f"{count} overage(s) cannot be sent: {reason}{why}: {names}", blocked[0].hint,
            subject=reason, facts={"reason": reason, "count": count},
        )  # fmt: skip


def _overages_stranded(found: Health, _: Settings, _sink: AlertSink) -> Iterator[Condition]:
    for each in found.status.stranded_reasons:
        yield Condition(
            AlertKind.OVERAGES_STRANDED,
            f"{len(each.items)} invoice item(s) at Stripe come on no invoice before long: "
            f"{each.reason}: {_few(each.billables)}",
            each.hint, subject=each.reason,
            facts={"reason": each.reason, "count": len(each.items)},
        )  # fmt: skip


def _webhook_silence(found: Health, _: Settings, sink: AlertSink) -> Iterator[Condition]:
    inbox = found.inbox
    heard = inbox.heard_at
    if not inbox.linked or (heard is not None and found.now - heard <= sink.webhook_silence):
        return
    told = f"since {_time(heard)}" if heard is not None else "ever"
    yield Condition(
        AlertKind.WEBHOOK_SILENCE,
        f"no event of Stripe has come {told}: {inbox.linked} live subscription(s) may not be as "
        "at Stripe",
        "aimeter webhooks pull --since 30d; aimeter doctor",
        facts={"heard_at": iso(heard) if heard is not None else None, "linked": inbox.linked},
    )


def _webhooks_failing(found: Health, _: Settings, _sink: AlertSink) -> Iterator[Condition]:
    inbox = found.inbox
    if inbox.failed:
        yield Condition(
            AlertKind.WEBHOOKS_FAILING, f"{inbox.failed} event(s) of Stripe could not be handled",
            "aimeter webhooks list --status failed shows why; aimeter webhooks retry --all",
            subject="failed", facts={"count": inbox.failed},
        )  # fmt: skip
    if inbox.quarantined:
        yield Condition(
            AlertKind.WEBHOOKS_FAILING,
            f"{inbox.quarantined} delivery(ies) of the last {RECENT.days} days are quarantined: no "
            "events, or altered ones",
            "aimeter webhooks list --status quarantined",
            subject="quarantined", facts={"count": inbox.quarantined},
        )  # fmt: skip


def _rates_stale(found: Health, settings: Settings, sink: AlertSink) -> Iterator[Condition]:
    """By source, for they grow old together: its newest rate counts."""
    newest: dict[str, list[Rate]] = {}
    for rate in found.rates:
        newest.setdefault(rate.source.partition(" via ")[0], []).append(rate)
    for source, rates in sorted(newest.items()):
        since = max(_dated(rate) for rate in rates)
        end = since + settings.rate_max_age
        if found.now < end - sink.rate_margin:
            continue
        pairs = sorted(f"{rate.base}/{rate.quote}" for rate in rates)
        is_over = found.now > end
        verb = "are not used since" if is_over else "will not be used after"
        yield Condition(
            AlertKind.RATES_STALE,
            f"the rates of {source} ({_few(pairs)}) are of {_time(since)} and {verb} {_time(end)}",
            "aimeter rates update --from SOURCE; aimeter rates remove those that nobody needs",
            subject=source,
            facts={"source": source, "effective_at": iso(since), "is_too_old": is_over},
        )


def _rates_held(found: Health, _: Settings, _sink: AlertSink) -> Iterator[Condition]:
    """Those whose time has come: they would be in force."""
    held = [row for row in found.held_rates if row.effective_at <= found.now]
    if held:
        pairs = _few(sorted({f"{row.base}/{row.quote}" for row in held}))
        yield Condition(
            AlertKind.RATES_HELD,
            f"{len(held)} rate(s) moved too far and wait to be confirmed: {pairs}",
            f"aimeter rates list; then aimeter rates confirm {held[0].id}, or remove it",
            facts={"count": len(held)},
        )


def _wallets(session: Session, now: datetime, sink: AlertSink) -> Iterator[Condition]:
    limits = sink.wallet_low
    for wallet in low_wallets(session, limits):
        limit = limits[wallet.currency if wallet.currency in limits else ""]
        left, least = (display(amount, wallet.currency) for amount in (wallet.balance, limit))
        currency = wallet.currency.upper()
        yield Condition(
            AlertKind.WALLET_LOW,
            f"the wallet of {wallet.billable} has {left} {currency}, below {least} {currency}",
            f"aimeter credits add {wallet.billable} AMOUNT",
            subject=wallet.billable, billable_id=wallet.billable_id,
            begins=now - wallet.updated_at <= WALLET_IS_USED,
            facts={
                "balance": f"{wallet.balance:.9f}", "limit": f"{limit:.9f}",
                "currency": wallet.currency,
            },
        )  # fmt: skip


def _dated(rate: Rate) -> datetime:
    if rate.effective_at is None:
        raise ValueError(f"a stored rate has no date: {rate}")
    return rate.effective_at


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _few(names: Sequence[str]) -> str:
    """The first few, each once."""
    unique = list(dict.fromkeys(names))
    more = f" and {len(unique) - _SHOWN} more" if len(unique) > _SHOWN else ""
    return ", ".join(unique[:_SHOWN]) + more


_FINDERS: dict[AlertKind, _Find] = {
    AlertKind.SYNC_FAILING: _sync_failing,
    AlertKind.SYNC_PAUSED: _sync_paused,
    AlertKind.JOB_SILENT: _job_silent,
    AlertKind.OVERAGES_BLOCKED: _overages_blocked,
    AlertKind.OVERAGES_STRANDED: _overages_stranded,
    AlertKind.WEBHOOK_SILENCE: _webhook_silence,
    AlertKind.WEBHOOKS_FAILING: _webhooks_failing,
    AlertKind.RATES_STALE: _rates_stale,
    AlertKind.RATES_HELD: _rates_held,
}
