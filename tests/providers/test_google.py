"""Generated content, embeddings and interactions, of the package's types and as documents."""

from __future__ import annotations

import pytest

from aimeter_cli.providers.base import Metered
from aimeter_cli.providers.google import GoogleProvider
from tests.providers.responses import Document, content, interaction

USAGE: Document = {
    "prompt_token_count": 219,
    "cached_content_token_count": 19,
    "candidates_token_count": 4,
    "thoughts_token_count": 167,
    "tool_use_prompt_token_count": 30,
    "total_token_count": 420,
}
TOLD = Metered((230, 19, 0, 4, 167), "gemini-2.5-flash")


def usage(response: object) -> Metered | None:
    return GoogleProvider().usage(response)


def streamed(*chunks: object) -> Metered | None:
    stream = GoogleProvider().stream()
    for chunk in chunks:
        stream.see(chunk)
    return stream.usage()


def test_cached_tokens_are_inside_the_prompt_tools_and_thoughts_are_on_top() -> None:
    response = content(USAGE)
    assert usage(response) == usage(response.model_dump()) == TOLD


def test_the_names_of_the_rest_interface_are_understood() -> None:
    response = content(USAGE).model_dump(by_alias=True)
    assert response["usageMetadata"]["promptTokenCount"] == 219
    assert usage(response) == TOLD


@pytest.mark.parametrize(
    ("counts", "tokens"),
    [
        pytest.param((100, 60, 50, 160), (100, 0, 0, 10, 50), id="the total shows them inside"),
        pytest.param((100, 60, 50, 210), (100, 0, 0, 60, 50), id="the total shows them on top"),
        pytest.param((100, 60, 50, None), (100, 0, 0, 60, 50), id="no total: on top"),
        pytest.param((100, None, None, 100), (100, 0, 0, 0, 0), id="a prompt that was refused"),
        pytest.param((100, None, 50, 150), (100, 0, 0, 0, 50), id="thoughts only"),
    ],
)
def test_thoughts_are_counted_once(
    counts: tuple[int | None, ...], tokens: tuple[int, int, int, int, int]
) -> None:
    names = ("prompt_token_count", "candidates_token_count", "thoughts_token_count",
             "total_token_count")  # fmt: skip
    response = content(dict(zip(names, counts, strict=True)))
    assert usage(response) == Metered(tokens, "gemini-2.5-flash")


def test_embeddings_have_input_only() -> None:
    from google.genai.types import EmbedContentResponse

    response = EmbedContentResponse.model_validate(
        {"usage_metadata": {"prompt_token_count": 6, "total_token_count": 6}}
    )
    assert usage(response) == usage(response.model_dump()) == Metered((6, 0, 0, 0, 0))


def test_an_interaction_is_read_by_its_totals() -> None:
    response = interaction(
        {"total_input_tokens": 219, "total_cached_tokens": 19, "total_output_tokens": 4,
         "total_thought_tokens": 167, "total_tool_use_tokens": 30, "total_tokens": 420}
    )  # fmt: skip
    assert usage(response) == usage(response.model_dump()) == TOLD
    event = {"event_type": "interaction.completed", "interaction": response}
    created = {"event_type": "interaction.created", "interaction": {"id": "v1_1"}}
    assert streamed(created, event) == TOLD


def test_without_usage_there_is_none() -> None:
    assert usage(content(None)) is None
    assert streamed(content(None)) is None


def test_a_stream_s_usages_are_running_totals_and_are_not_added_up() -> None:
    first = {"prompt_token_count": 219, "candidates_token_count": 2, "total_token_count": 221}
    chunks = [content(first), content(USAGE), content(None)]
    assert streamed(*chunks) == streamed(*(chunk.model_dump() for chunk in chunks)) == TOLD
    assert streamed(*chunks[:1]) == Metered((219, 0, 0, 2, 0), "gemini-2.5-flash")
