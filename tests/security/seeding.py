"""A database full of hostile texts, entered as anybody could enter them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import text

from aimeter_cli.db.engine import Database
from tests.screens.capture import Shown
from tests.security.hostile import TEXTS

Run = Callable[..., Shown]


def seed(run: Run, folder: Path, database: Database) -> list[Shown]:
    """What each command answered, hostile file names and file contents among it."""
    done = [
        run("plans", "create", "Plain", "--slug=plain", "--token-limit=1",
            "--overage-price-per-1k=1", "--overage-behavior=charge"),
        run("rates", "set", "usd", "eur", "0.85"),
    ]  # fmt: skip
    for number, hostile in enumerate(TEXTS.values()):
        done += _entered(run, number, hostile)
    for word in ("usages", "events"):
        file = folder / f"{word} \x1b[31m\u202e=1.jsonl"
        file.write_bytes(_LINES[word]())
        done.append(run(*_TAKE[word], str(file)))
    done += [
        run("sync-stripe-overages"),
        run("sync", "pause", f"--reason={TEXTS['osc8']}{TEXTS['markup']}"),
    ]
    _plant(database)
    return done


def _entered(run: Run, number: int, hostile: str) -> list[Shown]:
    ref = f"user:{number}"
    return [
        run("billables", "create", ref, f"--name={hostile}", f"--email={hostile}@example.com"),
        run("billables", "create", ref, f"--name={hostile}"),
        run("billables", "create", f"team:{hostile}"),
        run("plans", "create", hostile, f"--slug=plan-{number}", f"--feature={hostile}"),
        run("subscriptions", "create", f"--billable={ref}", "--plan=plain",
            f"--meta=note={hostile}", f"--meta={hostile}=note"),
        run("subscriptions", "create", f"--billable={ref}", "--plan=plain",
            f"--meta=note={hostile}"),
        run("subscriptions", "create", f"--billable={ref}", "--plan=plain"),
        run("usage", "record", f"--billable={ref}", f"--provider=p{number}", f"--model={hostile}",
            f"--feature={hostile}", "--input-tokens=5000", "--cost=1", f"--meta=k={hostile}"),
        run("credits", "add", ref, "5", f"--reason={hostile}", f"--meta=k={hostile}"),
        run("overrides", "set", ref, "--tokens=10", f"--reason={hostile}"),
        run("rates", "set", "usd", "gbp", "0.7", f"--source={hostile}",
            f"--at=2026-10-{number + 1:02}"),
    ]  # fmt: skip


def _usages() -> bytes:
    lines = [
        json.dumps({"billable": f"org:{n}", "provider": "p", "model": hostile, "feature": hostile,
                    "input_tokens": 1, "cost": "0.5", "occurred_at": "2026-11-01T00:00:00Z",
                    "meta": {"k": hostile, hostile: [hostile]}})
        for n, hostile in enumerate(TEXTS.values())
    ]  # fmt: skip
    lines += [
        json.dumps({"billable": f"org:{n}", "provider": "p", "model": "m", "cost": "0.5",
                    "input_tokens": 1, "occurred_at": "2026-11-01T00:00:00Z",
                    "meta": {"k": hostile, f"key{hostile}": [hostile]}})
        for n, hostile in enumerate(TEXTS.values())
    ]  # fmt: skip
    broken = b'{"billable": "org:x", "provider": "\xff\xfe\x9b31m", "model": "m"}'
    return b"\n".join([*map(str.encode, lines), broken, b"\x1b]0;x\x07", b'{"a": "\x00"}'])


def _events() -> bytes:
    lines = [
        json.dumps({"id": f"evt_{n}{hostile[:50]}", "object": "event", "type": f"x.{hostile[:50]}",
                    "created": 1_790_000_000, "livemode": False, "api_version": hostile[:50],
                    "data": {"object": {"id": hostile, "object": hostile}}})
        for n, hostile in enumerate(TEXTS.values())
    ]  # fmt: skip
    failing = [
        json.dumps({"id": f"evt_sub_{n}", "object": "event", "livemode": False,
                    "type": "customer.subscription.updated", "created": 1_790_000_000,
                    "data": {"object": {"id": hostile, "object": "subscription",
                                        "customer": hostile, "status": hostile,
                                        "metadata": {"aimeter_billable": hostile},
                                        "items": {"data": [{"price": {"id": hostile}}]}}}})
        for n, hostile in enumerate(TEXTS.values())
    ]  # fmt: skip
    return b"\n".join([*map(str.encode, lines + failing), b'{"id": "evt_\xff\x9b", "object"'])


_LINES = {"usages": _usages, "events": _events}
_TAKE = {"usages": ("usage", "import", "--on-error=skip"), "events": ("webhooks", "replay")}


def _plant(database: Database) -> None:
    """What Stripe, a sink and a crash would have told."""
    told = "".join(TEXTS[name] for name in ("markup", "osc8", "c1", "bidi", "lines"))
    with database.engine.begin() as connection:
        for table, column, where in (
            ("ai_overages", "status = 'failed', last_error", "status = 'open'"),
            ("ai_webhook_events", "error", "1 = 1"),
            ("ai_job_runs", "error", "1 = 1"),
        ):
            connection.execute(
                text(f"UPDATE {table} SET {column} = :told WHERE {where}"),
                {"told": f"=cmd {told}"},
            )
