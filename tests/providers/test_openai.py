"""Chat completions, responses and embeddings, of the package's types and as documents."""

from __future__ import annotations

from typing import Any

import pytest

from aimeter_cli.providers.base import Metered
from aimeter_cli.providers.openai import OpenAIProvider
from tests.providers.responses import (
    chat_chunk,
    chat_completion,
    openai_embeddings,
    openai_response,
)

CHAT = {
    "prompt_tokens": 2006,
    "completion_tokens": 300,
    "total_tokens": 2306,
    "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 256, "accepted_prediction_tokens": 0},
}
RESPONSE = {
    "input_tokens": 2600,
    "input_tokens_details": {"cached_tokens": 2000, "cache_write_tokens": 400},
    "output_tokens": 300,
    "output_tokens_details": {"reasoning_tokens": 100},
    "total_tokens": 2900,
}


def usage(response: object) -> Metered | None:
    return OpenAIProvider().usage(response)


def streamed(*chunks: object) -> Metered | None:
    stream = OpenAIProvider().stream()
    for chunk in chunks:
        stream.see(chunk)
    return stream.usage()


def test_a_chat_completion_s_cached_and_reasoning_tokens_are_taken_out_of_prompt_and_output() -> (
    None
):
    response = chat_completion(CHAT)
    told = Metered((86, 1920, 0, 44, 256), "gpt-5-mini")
    assert usage(response) == usage(response.model_dump()) == told


def test_a_response_s_cache_writes_are_part_of_its_input() -> None:
    response = openai_response(RESPONSE)
    told = Metered((200, 2000, 400, 200, 100), "gpt-5")
    assert usage(response) == usage(response.model_dump()) == told


def test_an_embedding_has_input_only() -> None:
    response = openai_embeddings({"prompt_tokens": 8, "total_tokens": 8})
    told = Metered((8, 0, 0, 0, 0), "text-embedding-3-small")
    assert usage(response) == usage(response.model_dump()) == told


def test_an_empty_name_of_the_model_is_none() -> None:
    assert usage(chat_completion(CHAT, model="")) == Metered((86, 1920, 0, 44, 256))


@pytest.mark.parametrize(
    "response",
    [
        {"id": "chatcmpl-1", "usage": None},
        {"id": "chatcmpl-1"},
        {"usage": {"type": "duration", "seconds": 12.5}},  # a transcription, billed by time
        {"usage": {}},
        "text",
        None,
    ],
)
def test_without_tokens_there_is_no_usage(response: object) -> None:
    assert usage(response) is None


@pytest.mark.parametrize(
    ("usage_told", "tokens"),
    [
        pytest.param(
            {"prompt_tokens": 10120, "completion_tokens": 1499, "total_tokens": 14428,
             "prompt_tokens_details": {"cached_tokens": 128},
             "completion_tokens_details": {"reasoning_tokens": 2809}},
            (9992, 128, 0, 1499, 2809), id="xAI: the total shows reasoning on top",
        ),
        pytest.param(
            {"prompt_tokens": 10, "completion_tokens": 30, "total_tokens": 40,
             "completion_tokens_details": {"reasoning_tokens": 30}},
            (10, 0, 0, 0, 30), id="all of the output is reasoning",
        ),
        pytest.param(
            {"prompt_tokens": 10, "completion_tokens": 30,
             "completion_tokens_details": {"reasoning_tokens": 20}},
            (10, 0, 0, 10, 20), id="no total: OpenAI's rule",
        ),
        pytest.param(
            {"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 105,
             "prompt_cache_hit_tokens": 64, "prompt_cache_miss_tokens": 36},
            (36, 64, 0, 5, 0), id="DeepSeek's names",
        ),
        pytest.param(
            {"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 105,
             "prompt_tokens_details": {"cached_tokens": 60, "cache_creation_tokens": 10}},
            (30, 60, 10, 5, 0), id="LiteLLM's names within the details",
        ),
        pytest.param(
            {"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 105,
             "cache_read_input_tokens": 60, "cache_creation_input_tokens": 10},
            (30, 60, 10, 5, 0), id="LiteLLM's names without details",
        ),
        pytest.param(
            {"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 105,
             "input_tokens": 0, "output_tokens": 0, "input_tokens_details": None},
            (100, 0, 0, 5, 0), id="a gateway with both names",
        ),
    ],
)  # fmt: skip
def test_servers_that_answer_alike_are_read_by_what_they_tell(
    usage_told: dict[str, Any], tokens: tuple[int, ...]
) -> None:
    assert usage({"model": "m", "usage": usage_told}) == Metered(tokens, "m")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("usage_told", "tokens"),
    [
        # Reported by OpenAI as it stands: more read from the cache than there was prompt.
        ({"input_tokens": 5136, "output_tokens": 201, "total_tokens": 5337,
          "input_tokens_details": {"cached_tokens": 10192}}, (0, 5136, 0, 201, 0)),
        ({"input_tokens": 2600, "output_tokens": 1, "total_tokens": 2601,
          "input_tokens_details": {"cached_tokens": 2000, "cache_write_tokens": 2400}},
         (0, 2000, 600, 1, 0)),
        ({"input_tokens": 10, "output_tokens": 20, "total_tokens": 30,
          "output_tokens_details": {"reasoning_tokens": 25}}, (10, 0, 0, 0, 20)),
    ],
)  # fmt: skip
def test_a_part_larger_than_its_whole_is_cut_to_it(
    usage_told: dict[str, Any], tokens: tuple[int, ...]
) -> None:
    metered = usage({"usage": usage_told})
    assert metered is not None
    assert metered.tokens == tokens
    assert sum(metered.tokens) == usage_told["total_tokens"]


def test_a_chat_stream_is_metered_by_its_last_chunk_with_usage() -> None:
    chunks = [chat_chunk(None), chat_chunk(CHAT)]
    told = Metered((86, 1920, 0, 44, 256), "gpt-5-mini")
    assert streamed(*chunks) == streamed(*(chunk.model_dump() for chunk in chunks)) == told


def test_usages_on_several_chunks_are_totals_and_are_not_added_up() -> None:
    first = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}
    last = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
    metered = streamed(chat_chunk(first), chat_chunk(last), chat_chunk(None))
    assert metered == Metered((9, 0, 0, 4, 0), "gpt-5-mini")


def test_a_chat_stream_without_usage_tells_none() -> None:
    assert streamed() is None
    assert streamed(chat_chunk(None)) is None


def test_a_helper_s_chunk_events_are_read_by_their_chunk() -> None:
    metered = streamed({"type": "chunk", "chunk": chat_chunk(CHAT), "snapshot": None})
    assert metered == Metered((86, 1920, 0, 44, 256), "gpt-5-mini")


@pytest.mark.parametrize("ending", ["completed", "incomplete", "failed"])
def test_a_stream_of_responses_is_metered_by_its_last_event_however_it_ends(ending: str) -> None:
    from openai.types import responses as types

    last_type = {
        "completed": types.ResponseCompletedEvent,
        "incomplete": types.ResponseIncompleteEvent,
        "failed": types.ResponseFailedEvent,
    }[ending]
    created = types.ResponseCreatedEvent(
        type="response.created", sequence_number=0, response=openai_response(None)
    )
    last = last_type(
        type=f"response.{ending}", sequence_number=1, response=openai_response(RESPONSE)
    )
    told = Metered((200, 2000, 400, 200, 100), "gpt-5")
    assert streamed(created, last) == told
    assert streamed(created.model_dump(), last.model_dump()) == told
    assert streamed(created) is None
