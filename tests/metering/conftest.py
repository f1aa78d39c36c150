"""A runtime on a database of the test's own, with a plan and somebody on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aimeter_cli.app import App
from aimeter_cli.db.engine import Database
from aimeter_cli.metering.meter import AiMeter
from aimeter_cli.metering.runtime import Runtime
from tests.conftest import NOW
from tests.services.world_of_plans import a_plan, a_subscription

Make = Callable[..., AiMeter]


def runtime_on(database: Database, **settings: Any) -> Runtime:
    url = database.url.render_as_string(hide_password=False)
    return Runtime(App(overrides={"database_url": url, **settings}, as_of=NOW))


@pytest.fixture
def make(any_database: Database) -> Iterator[Make]:
    """``make(token_limit=1000, settings={…})``: a meter, with ``user:42`` on such a plan."""
    made: list[Runtime] = []

    def build(settings: dict[str, Any] | None = None, **plan: Any) -> AiMeter:
        a_plan(any_database, NOW, **{"overage_behavior": "charge", **plan})
        a_subscription(any_database, NOW)
        made.append(runtime_on(any_database, **(settings or {})))
        meter = AiMeter(made[-1])
        return meter.billable("user:42").using_provider("openai", "gpt-4o-mini")

    yield build
    for runtime in made:
        runtime.close()


@pytest.fixture
def lite(database: Database) -> Iterator[AiMeter]:
    """A meter on SQLite; ``user:42`` has 1,000 tokens."""
    a_plan(database, NOW, overage_behavior="charge", token_limit=1000)
    a_subscription(database, NOW)
    runtime = runtime_on(database)
    yield AiMeter(runtime).billable("user:42").using_provider("openai", "gpt-4o-mini")
    runtime.close()


def chat(prompt: int, completion: int, **more: Any) -> dict[str, Any]:
    """A chat completion of OpenAI, as a document."""
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    return {"object": "chat.completion", "model": "gpt-4o-mini-2024-07-18", "usage": usage, **more}
