"""LiteLLM's own types; slow to import, so only here and only where a test runs."""

from __future__ import annotations

from typing import Any

import pytest

from aimeter_cli.providers.base import Metered
from aimeter_cli.providers.registry import get_provider

ANTHROPIC_THROUGH_LITELLM: dict[str, Any] = {
    "prompt_tokens": 2069,
    "completion_tokens": 500,
    "total_tokens": 2569,
    "prompt_tokens_details": {"cached_tokens": 1800, "cache_creation_tokens": 248,
                              "text_tokens": 21},
    "completion_tokens_details": {"reasoning_tokens": 380, "text_tokens": 120},
    "cache_creation_input_tokens": 248,
    "cache_read_input_tokens": 1800,
}  # fmt: skip

# Its documents are typed with ReadOnly, of which pydantic warns when it builds them.
pytestmark = pytest.mark.filterwarnings("ignore:.*ReadOnly:UserWarning")


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else it asks the network
    from litellm.types import utils

    return utils


def test_a_response_s_cache_reads_and_writes_are_inside_its_prompt(types: Any) -> None:
    response = types.ModelResponse(
        model="claude-sonnet-4-5", usage=types.Usage(**ANTHROPIC_THROUGH_LITELLM)
    )
    told = Metered((21, 1800, 248, 120, 380), "claude-sonnet-4-5")
    assert get_provider("litellm").usage(response) == told
    assert get_provider("litellm").usage(response.model_dump()) == told


def test_its_embeddings_have_input_only(types: Any) -> None:
    response = types.EmbeddingResponse(
        model="m", usage=types.Usage(prompt_tokens=8, completion_tokens=0, total_tokens=8)
    )
    assert get_provider("litellm").usage(response) == Metered((8, 0, 0, 0, 0), "m")


def test_its_streams_tell_the_usage_last(types: Any) -> None:
    stream = get_provider("litellm").stream()
    stream.see(types.ModelResponseStream(model="claude-sonnet-4-5"))
    assert stream.usage() is None
    last = types.ModelResponseStream(
        model="claude-sonnet-4-5", usage=types.Usage(**ANTHROPIC_THROUGH_LITELLM)
    )
    stream.see(last)
    assert stream.usage() == Metered((21, 1800, 248, 120, 380), "claude-sonnet-4-5")
