"""A usage file as a product would write it: a month of calls, the same at every run."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.demo.cast import CUSTOMERS


@dataclass(frozen=True, slots=True)
class Written:
    """What stands in a file: all lines, and those that repeat an earlier one."""

    lines: int
    repeated: int


_MODELS = (  # provider, model, weight, tokens in, tokens out
    ("openai", "gpt-4o-mini", 50, 900, 350),
    ("openai", "gpt-4o", 18, 1400, 500),
    ("anthropic", "claude-sonnet-4", 20, 1800, 600),
    ("google", "gemini-2.0-flash", 9, 1100, 300),
    ("inhouse", "embedder-v2", 3, 2500, 0),
)
_FEATURES = ("chat", "search", "summary", "support-bot", None)
_REPEATED = 0.01


def write_usage(path: Path, *, calls: int, start: datetime, end: datetime, seed: int) -> Written:
    """Write so many calls between two times, in order, as JSON lines.

    About one line in a hundred is written twice, as clients do that retry. Half of the lines have
    no idempotency key. In-house calls tell their cost; the others are priced by the price list.
    """
    dice = random.Random(seed)
    span = (end - start).total_seconds()
    weights = [customer.share for customer in CUSTOMERS]
    lines = repeated = 0
    with path.open("w", encoding="utf-8") as file:
        for moment in sorted(dice.random() * span for _ in range(calls)):
            [customer] = dice.choices(CUSTOMERS, weights)
            at = datetime.fromtimestamp(start.timestamp() + moment, start.tzinfo)
            call = _call(dice, customer.ref, at)
            if dice.random() < 0.5:
                call["idempotency_key"] = f"req-{seed}-{lines}"
            line = json.dumps(call) + "\n"
            again = "idempotency_key" in call and dice.random() < _REPEATED * 2
            file.write(line * (2 if again else 1))
            lines += 1 + again
            repeated += again
    return Written(lines, repeated)


def _call(dice: random.Random, billable: str, at: datetime) -> dict[str, object]:
    [(provider, model, _, given, made)] = dice.choices(_MODELS, [each[2] for each in _MODELS])
    prompt = int(dice.lognormvariate(0, 0.6) * given) + 1
    cached = int(prompt * dice.random() * 0.6) if dice.random() < 0.3 else 0
    call: dict[str, object] = {
        "billable": billable,
        "provider": provider,
        "model": model,
        "feature": dice.choice(_FEATURES),
        "input_tokens": prompt - cached,
        "cached_input_tokens": cached,
        "output_tokens": int(dice.lognormvariate(0, 0.5) * made),
        "occurred_at": at.isoformat(timespec="milliseconds"),
    }
    if provider == "inhouse":
        call |= {"cost": f"{prompt * 0.00000004:.9f}", "currency": "usd"}
    return call
