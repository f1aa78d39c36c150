"""Providers that are not known by name: each known shape is found by its fields."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aimeter_cli.providers.anthropic import AnthropicProvider
from aimeter_cli.providers.base import Metered, Provider
from aimeter_cli.providers.by_shape import ByShape
from aimeter_cli.providers.google import GoogleProvider
from aimeter_cli.providers.openai import OpenAIProvider
from tests.providers import test_anthropic, test_google, test_openai
from tests.providers.responses import (
    chat_chunk,
    chat_completion,
    content,
    content_block_delta,
    interaction,
    message,
    message_delta,
    message_start,
    openai_embeddings,
    openai_response,
)

RESPONSES: list[tuple[Provider, Callable[[], object]]] = [
    (OpenAIProvider(), lambda: chat_completion(test_openai.CHAT)),
    (OpenAIProvider(), lambda: openai_response(test_openai.RESPONSE)),
    (OpenAIProvider(), lambda: openai_embeddings({"prompt_tokens": 8, "total_tokens": 8})),
    (AnthropicProvider(), lambda: message(test_anthropic.USAGE)),
    (GoogleProvider(), lambda: content(test_google.USAGE)),
    (GoogleProvider(), lambda: content(test_google.USAGE).model_dump(by_alias=True)),
    (GoogleProvider(), lambda: interaction({"total_input_tokens": 3, "total_tokens": 3})),
]
STREAMS: list[tuple[Provider, Callable[[], list[object]]]] = [
    (OpenAIProvider(), lambda: [chat_chunk(None), chat_chunk(test_openai.CHAT)]),
    (OpenAIProvider(), lambda: [{"type": "response.created", "response": openai_response(None)},
                                {"type": "response.completed",
                                 "response": openai_response(test_openai.RESPONSE)}]),
    (AnthropicProvider(), lambda: [message_start({**test_anthropic.USAGE, "output_tokens": 1}),
                                   content_block_delta(), message_delta({"output_tokens": 500})]),
    (GoogleProvider(), lambda: [content(None), content(test_google.USAGE)]),
]  # fmt: skip


@pytest.mark.parametrize(("provider", "make"), RESPONSES)
def test_a_response_is_read_as_its_own_provider_reads_it(
    provider: Provider, make: Callable[[], object]
) -> None:
    response = make()
    told = provider.usage(response)
    assert told is not None
    assert sum(told.tokens) > 0
    assert ByShape().usage(response) == told


@pytest.mark.parametrize(("provider", "make"), STREAMS)
def test_a_stream_is_read_as_its_own_provider_reads_it(
    provider: Provider, make: Callable[[], list[object]]
) -> None:
    told, found = provider.stream(), ByShape().stream()
    for chunk in make():
        told.see(chunk)
        found.see(chunk)
    assert told.usage() is not None
    assert found.usage() == told.usage()


def test_a_gateway_that_tells_anthropic_s_names_beside_openai_s_is_read_as_openai() -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 105,
             "input_tokens": 0, "output_tokens": 0}  # fmt: skip
    stream = ByShape().stream()
    stream.see({"model": "m", "usage": usage})
    assert stream.usage() == Metered((100, 0, 0, 5, 0), "m")


def test_a_total_without_details_of_the_input_tells_openai_s_responses() -> None:
    usage = {"input_tokens": 5, "output_tokens": 9, "total_tokens": 14,
             "output_tokens_details": {"reasoning_tokens": 4}}  # fmt: skip
    assert ByShape().usage({"usage": usage}) == Metered((5, 0, 0, 5, 4))


@pytest.mark.parametrize(
    "response",
    [None, "text", 7, {}, {"usage": None}, {"usage": {"tokens": 3}}, {"usage_metadata": {}}],
)
def test_a_usage_in_no_known_shape_is_none(response: object) -> None:
    assert ByShape().usage(response) is None
    stream = ByShape().stream()
    stream.see(response)
    assert stream.usage() is None
