"""(f): what ``AiMeter.call`` adds to a call: the check before it, and its usage's transaction."""

from __future__ import annotations

import time
import uuid
from datetime import timedelta
from pathlib import Path
from statistics import median

from aimeter_cli.app import App
from aimeter_cli.metering.meter import AiMeter
from aimeter_cli.metering.runtime import Runtime
from tests.bench.figures import Figure, alternate, paired
from tests.bench.fixtures import START, Template

_CALLS = 300
_SUBSCRIBERS = 10
_RESPONSE: dict[str, object] = {
    "object": "chat.completion",
    "model": "gpt-4o-mini-2024-07-18",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}}],
    "usage": {
        "prompt_tokens": 900,
        "completion_tokens": 200,
        "total_tokens": 1100,
        "prompt_tokens_details": {"cached_tokens": 100},
    },
}


def added_by_call(folder: Path) -> Figure:
    """Milliseconds, p50, on SQLite with a plan that charges, prices from the library."""
    template = Template(folder / "call.db", subscribers=_SUBSCRIBERS, token_limit=10**9)
    url = f"sqlite:///{template.copy(folder / 'call-ours.db')}"
    runtime = Runtime(App(overrides={"database_url": url}, as_of=START + timedelta(days=1)))
    meter = AiMeter(runtime).using_provider("openai", "gpt-4o-mini").feature("chat")
    cpu: list[float] = []

    def metered() -> float:
        spent = []
        for number in range(_CALLS):
            payer = meter.billable(f"user:{number % _SUBSCRIBERS + 1}")
            payer = payer.with_idempotency_key(uuid.uuid4().hex)
            began, cpu_began = time.perf_counter(), time.thread_time()
            payer.call(_provider)
            spent.append(time.perf_counter() - began)
            cpu.append(time.thread_time() - cpu_began)
        return median(spent) * 1000

    def alone() -> float:
        spent = []
        for _ in range(_CALLS):
            began = time.perf_counter()
            _provider()
            spent.append(time.perf_counter() - began)
        return median(spent) * 1000

    try:
        found, other = alternate(metered, alone, pairs=7)
    finally:
        runtime.close()
    return paired(
        "AiMeter.call - wrapped call", found, other, unit="ms", goal=1, better="less",
        by="difference", note=f"p50; {median(cpu) * 1000:.2f} ms of it on the processor",
    )  # fmt: skip


def _provider() -> dict[str, object]:
    return _RESPONSE
