"""How things stand in Prometheus's text format, for node_exporter's textfile collector.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/ (text format 0.0.4). Names and
labels are not personal: nobody who is billed is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from aimeter_cli.render.safe import harmless
from aimeter_cli.services.health import Health

Value = int | Decimal | datetime | timedelta
Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Gauge:
    """A metric with its samples; one without any is left out. Times and ages are in seconds."""

    name: str
    help: str
    samples: list[tuple[Labels, Value]]


def exposition(found: Health, *, version: str, schema: str) -> str:
    """The whole file."""
    lines = []
    for gauge in _gauges(found, version, schema):
        if gauge.samples:
            name = f"aimeter_{gauge.name}"
            lines += [f"# HELP {name} {gauge.help}", f"# TYPE {name} gauge"]
            lines += [f"{name}{_labels(of)} {_number(value)}" for of, value in gauge.samples]
    return "\n".join(lines) + "\n"


def _gauges(found: Health, version: str, schema: str) -> Iterator[Gauge]:
    yield Gauge("info", "Version and revision of the database's schema.",
                [({"version": version, "schema": schema}, 1)])  # fmt: skip
    yield Gauge("ok", "1: aimeter status finds no problem.", _one(int(found.status.is_ok)))
    yield from _of_overages(found)
    yield from _of_sync(found)
    yield from _of_jobs(found)
    yield from _of_events(found)
    yield Gauge(
        "rate_age_seconds", "Age of the newest stored rate of a pair.",
        [
            ({"base": rate.base, "quote": rate.quote, "source": rate.source},
             found.now - rate.effective_at)
            for rate in found.rates if rate.effective_at is not None
        ],
    )  # fmt: skip
    yield Gauge("rates_held", "Rates that wait to be confirmed.", _one(len(found.held_rates)))
    yield Gauge(
        "alerts_open", "Open alerts, by name in the configuration and by kind.",
        [({"alert": name, "kind": kind}, count) for name, kind, count in found.open_alerts],
    )  # fmt: skip


def _of_overages(found: Health) -> Iterator[Gauge]:
    status = found.status
    by_status = sorted(status.overages, key=lambda each: (each.status, each.currency))
    labels = [{"status": each.status, "currency": each.currency} for each in by_status]
    yield Gauge(
        "overages", "Overages that are on no invoice yet, by status and the plan's currency.",
        [(of, each.count) for of, each in zip(labels, by_status, strict=True)],
    )  # fmt: skip
    yield Gauge(
        "overages_amount", "Their amount, in major units of the currency.",
        [(of, each.amount) for of, each in zip(labels, by_status, strict=True)],
    )  # fmt: skip
    oldest = min((each.oldest_at for each in status.overages), default=found.now)
    yield Gauge("overages_oldest_age_seconds", "Age of the oldest of them; 0 without any.",
                _one(found.now - oldest))  # fmt: skip
    reasons: dict[str, int] = {}
    for blocked in status.blocked_reasons:
        reasons[blocked.reason] = reasons.get(blocked.reason, 0) + blocked.count
    yield Gauge(
        "overages_blocked", "Overages that cannot be sent, by reason.",
        [({"reason": reason}, count) for reason, count in sorted(reasons.items())],
    )  # fmt: skip
    yield Gauge("overages_stranded", "Overages at Stripe that come on no invoice before long.",
                _one(status.stranded))  # fmt: skip


def _of_sync(found: Health) -> Iterator[Gauge]:
    status = found.status
    yield Gauge("sync_paused", "1: an operator has paused the sync.", _one(int(status.is_paused)))
    yield Gauge("sync_backing_off", "Requests to Stripe that wait for their next try.",
                _one(status.backing_off))  # fmt: skip
    yield Gauge("sync_unanswered_since_timestamp_seconds",
                "When the oldest request without a clear answer was first sent.",
                _one(status.unanswered_since))  # fmt: skip


def _of_jobs(found: Health) -> Iterator[Gauge]:
    jobs = [({"command": job.command}, job) for job in found.status.jobs]
    yield Gauge(
        "job_last_success_timestamp_seconds", "When a command's last success ended.",
        [(of, job.last_success_at) for of, job in jobs if job.last_success_at is not None],
    )  # fmt: skip
    yield Gauge(
        "job_last_start_timestamp_seconds", "When a command began last.",
        [(of, job.started_at) for of, job in jobs if job.started_at is not None],
    )  # fmt: skip
    yield Gauge(
        "job_last_exit_code", "Of the run that began last, if it has ended.",
        [(of, job.exit_code) for of, job in jobs if job.exit_code is not None],
    )  # fmt: skip


def _of_events(found: Health) -> Iterator[Gauge]:
    inbox, outbox = found.inbox, found.outbox
    yield Gauge("webhook_last_event_timestamp_seconds", "When an event of Stripe came in last.",
                _one(inbox.newest_at))  # fmt: skip
    yield Gauge("webhook_last_pull_timestamp_seconds", "When Stripe was last asked for events.",
                _one(inbox.pulled_at))  # fmt: skip
    yield Gauge(
        "webhook_events", "Events of Stripe without an effect; quarantined ones of seven days.",
        [({"status": name}, getattr(inbox, name))
         for name in ("received", "failed", "quarantined", "waiting")],
    )  # fmt: skip
    if outbox is None:
        return
    yield Gauge(
        "outbox_events", "Events new, and deliveries to sinks pending or given up.",
        [({"status": name}, getattr(outbox, name)) for name in ("new", "pending", "failed")],
    )  # fmt: skip
    yield Gauge("outbox_oldest_timestamp_seconds", "Of the oldest event that is not delivered.",
                _one(outbox.oldest_at))  # fmt: skip


def _one(value: Value | None) -> list[tuple[Labels, Value]]:
    return [] if value is None else [({}, value)]


def _labels(labels: Labels) -> str:
    """Control characters as visible escapes, for the file is read by people, too."""
    told = [f'{name}="{_escaped(harmless(value))}"' for name, value in labels.items()]
    return f"{{{','.join(told)}}}" if told else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: Value) -> str:
    if isinstance(value, datetime):
        return f"{value.timestamp():.3f}"
    if isinstance(value, timedelta):
        return f"{max(value.total_seconds(), 0):.0f}"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
