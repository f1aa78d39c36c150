"""The README's "In your application" runs as it stands there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from aimeter_cli import configure, events
from aimeter_cli.db.engine import Database
from aimeter_cli.metering import runtime
from tests.conftest import NOW
from tests.metering.test_asgi import Page, get
from tests.services.world_of_plans import a_plan, a_subscription

README = Path(__file__).resolve().parents[2] / "README.md"
USAGE = {"prompt_tokens": 900, "completion_tokens": 100, "total_tokens": 1000}
BASE = {"id": "chatcmpl-1", "created": 1, "model": "gpt-4o-mini-2024-07-18"}


def completion() -> ChatCompletion:
    message = {"role": "assistant", "content": "Hello."}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return ChatCompletion.model_validate(
        {**BASE, "object": "chat.completion", "choices": [choice], "usage": USAGE}
    )


async def chunks() -> AsyncIterator[ChatCompletionChunk]:
    for more in ({"usage": None}, {"usage": USAGE}):
        yield ChatCompletionChunk.model_validate(
            {**BASE, "object": "chat.completion.chunk", "choices": [], **more}
        )


def client(create: Any) -> SimpleNamespace:
    return SimpleNamespace(chat=SimpleNamespace(completions=SimpleNamespace(create=create)))


@pytest.fixture
def shown(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The names that the README's code leaves behind, with a plan of 2,500 tokens for two."""
    from aimeter_cli.domain.references import BillableRef

    a_plan(database, NOW, overage_behavior="charge", token_limit=2500,
           overage_price_per_1k_tokens=Decimal("0.02"))  # fmt: skip
    for ref in (BillableRef("user", "42"), BillableRef("team", "7")):
        a_subscription(database, NOW, ref)
    configure(overrides={"database_url": f"sqlite:///{database.file}"})

    async def create(**said: Any) -> Any:
        return chunks() if said.get("stream") else completion()

    text = README.read_text()
    section = text[text.index("## In your application") :]
    section = section[: section.index("\n## ", 5)]
    blocks = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    assert len(blocks) == 4
    names: dict[str, Any] = {
        "client": client(lambda **_: completion()), "async_client": client(create), "app": Page(),
    }  # fmt: skip
    exec("\n".join(blocks), names)
    yield names
    events.forget(names["on_overage"])
    configured = runtime._default
    assert configured is not None
    configured.close()
    monkeypatch.setattr(runtime, "_default", None)


def test_its_code_meters_charges_and_tells(
    shown: dict[str, Any], database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown["answer"]("user:42", [], "request-1") == "Hello."
    assert shown["answer"]("user:42", [], "request-1") == "Hello."  # the same request again

    async def read() -> list[Any]:
        return [chunk async for chunk in shown["stream"]("user:42", [])]

    assert len(asyncio.run(read())) == 2
    with database.read() as session:
        rows = session.connection().exec_driver_sql(
            "SELECT b.type || ':' || b.external_id, COUNT(*), SUM(u.input_tokens)"
            " FROM ai_usages u JOIN ai_billables b ON b.id = u.billable_id"
            " WHERE u.idempotency_key NOT LIKE 'job-%' GROUP BY 1 ORDER BY 1"
        )
        counted = [tuple(row) for row in rows]
        many = session.connection().exec_driver_sql(
            "SELECT COUNT(*) FROM ai_usages WHERE idempotency_key LIKE 'job-7-%'"
        )
        assert many.scalar_one() == 1000
    assert counted == [("team:7", 1, 900), ("user:42", 2, 2100)]
    status, headers, _ = get(shown["app"])
    assert status == 200
    assert "x-remaining-tokens" not in headers  # scope["user"] is not set: not metered
