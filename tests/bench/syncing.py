"""(d): a sync, against the time that the rate limit alone would take."""

from __future__ import annotations

from pathlib import Path

from aimeter_cli.sandbox.client import SandboxControl
from aimeter_cli.sandbox.process import running
from tests.bench.figures import Figure, paired
from tests.bench.fixtures import Template, add_overages
from tests.bench.programs import AIMETER, seconds

BILLABLES = 200
EACH = 10
PER_SECOND = 20
"""aimeter's default; Stripe, and the sandbox here, allow 25."""

_RUNS = 3
_KEY = "sk_test_bench"


def sync(folder: Path) -> Figure:
    """Seconds of ``sync-stripe-overages``, start-up included, to requests ÷ requests per second."""
    template = Template(folder / "sync.db", subscribers=BILLABLES, token_limit=1000)
    measured = [_run(folder, template) for _ in range(_RUNS)]
    requests = measured[0][1]
    return paired(
        "sync : rate limit alone",
        [spent for spent, _ in measured],
        [count / PER_SECOND for _, count in measured],
        unit="s",
        goal=1.15,
        better="less",
        note=f"{BILLABLES * EACH} overages, {requests} requests, no 429",
    )


def _run(folder: Path, template: Template) -> tuple[float, int]:
    """Seconds and requests of one sync of fresh overages."""
    file = template.copy(folder / "sync-ours.db")
    with running(rate_limit=None) as sandbox:
        customers = _customers(sandbox)
        sandbox.set(rate_limit=25)
        before = max(entry["seq"] for entry in sandbox.ledger())
        add_overages(file, subscribers=BILLABLES, each=EACH, customers=customers)
        env = {
            "AI_METERING_DATABASE_URL": f"sqlite:///{file}",
            "AI_METERING_BILLING_DRIVER": "stripe",
            "STRIPE_API_KEY": _KEY,
            "STRIPE_API_BASE": sandbox.url,
        }
        line = [AIMETER, "sync-stripe-overages", "--limit", str(BILLABLES * EACH)]
        spent = seconds([*line, "--as-of", "2026-10-31"], folder, env)
        requests = sandbox.ledger(before)
        items = sandbox.items()
    if any(entry["status"] != 200 for entry in requests):
        raise RuntimeError("a request of the sync was refused")
    if len(items) != BILLABLES:
        raise RuntimeError(f"{len(items)} items, not {BILLABLES}")
    return spent, len(requests)


def _customers(sandbox: SandboxControl) -> list[str]:
    import requests

    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {_KEY}"
        made = [session.post(f"{sandbox.url}/v1/customers") for _ in range(BILLABLES)]
    return [str(answer.json()["id"]) for answer in made]
