"""Messages, whole and streamed, of the package's types and as documents."""

from __future__ import annotations

from aimeter_cli.providers.anthropic import AnthropicProvider
from aimeter_cli.providers.base import Metered
from tests.providers.responses import (
    Document,
    content_block_delta,
    message,
    message_delta,
    message_start,
)

USAGE: Document = {
    "input_tokens": 21,
    "cache_read_input_tokens": 1800,
    "cache_creation_input_tokens": 248,
    "cache_creation": {"ephemeral_5m_input_tokens": 148, "ephemeral_1h_input_tokens": 100},
    "output_tokens": 500,
    "output_tokens_details": {"thinking_tokens": 380},
    "service_tier": "standard",
}
TOLD = Metered((21, 1800, 248, 120, 380), "claude-sonnet-4-5")


def usage(response: object) -> Metered | None:
    return AnthropicProvider().usage(response)


def streamed(*chunks: object) -> Metered | None:
    stream = AnthropicProvider().stream()
    for chunk in chunks:
        stream.see(chunk)
    return stream.usage()


def iteration(kind: str, model: str, *counts: int) -> Document:
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens",
             "output_tokens")  # fmt: skip
    return {"type": kind, "model": model, **dict(zip(names, counts, strict=True))}


def test_cached_tokens_are_outside_the_input_and_thinking_is_inside_the_output() -> None:
    response = message(USAGE)
    assert usage(response) == usage(response.model_dump()) == TOLD


def test_a_message_without_details_has_input_and_output() -> None:
    response = message({"input_tokens": 12, "output_tokens": 7})
    assert usage(response) == Metered((12, 0, 0, 7, 0), "claude-sonnet-4-5")


def test_without_usage_there_is_none() -> None:
    assert usage({"type": "message", "model": "claude-sonnet-4-5"}) is None
    assert usage({"input_tokens": 14}) is None  # the answer of count_tokens


def test_more_thinking_than_output_is_cut_to_the_output() -> None:
    response = {"usage": {"input_tokens": 1, "output_tokens": 5,
                          "output_tokens_details": {"thinking_tokens": 6}}}  # fmt: skip
    assert usage(response) == Metered((1, 0, 0, 0, 5))


def test_a_compaction_is_billed_on_top_of_the_sums_and_other_iterations_are_within_them() -> None:
    response = message(
        {"input_tokens": 23000, "output_tokens": 1000,
         "iterations": [iteration("compaction", "claude-sonnet-4-5", 180000, 5, 7, 3500),
                        iteration("message", "claude-sonnet-4-5", 23000, 0, 0, 1000)]}
    )  # fmt: skip
    told = Metered((203000, 5, 7, 4500, 0), "claude-sonnet-4-5")
    assert usage(response) == usage(response.model_dump()) == told


def test_an_advisor_s_tokens_count_too() -> None:
    response = message(
        {"input_tokens": 412, "output_tokens": 531,
         "iterations": [iteration("message", "claude-sonnet-4-5", 412, 0, 0, 531),
                        iteration("advisor_message", "claude-opus-4-6", 823, 0, 0, 1612)]}
    )  # fmt: skip
    assert usage(response) == Metered((1235, 0, 0, 2143, 0), "claude-sonnet-4-5")


def test_of_a_fallback_only_the_attempt_that_served_counts_under_its_model() -> None:
    served = {"input_tokens": 2, "output_tokens": 13658,
              "cache_creation_input_tokens": 0, "cache_read_input_tokens": 79214}  # fmt: skip
    iterations = [
        iteration("message", "claude-fable-5", 2, 72769, 10421, 578),
        iteration("fallback_message", "claude-opus-4-8", 2, 79214, 0, 13658),
    ]
    told = Metered((2, 79214, 0, 13658, 0), "claude-opus-4-8")
    assert usage(message({**served, "iterations": iterations}, model="claude-opus-4-8")) == told
    start = message_start(
        {"input_tokens": 2, "cache_read_input_tokens": 72769,
         "cache_creation_input_tokens": 10421, "output_tokens": 1}, model="claude-fable-5",
    )  # fmt: skip
    assert streamed(start, message_delta({**served, "iterations": iterations})) == told


def test_a_stream_s_counts_are_running_totals_the_last_of_each_holds() -> None:
    chunks = [
        message_start({**USAGE, "output_tokens": 1, "output_tokens_details": None}),
        content_block_delta(),
        message_delta({"output_tokens": 15}),
        message_delta({"output_tokens": 500, "output_tokens_details": {"thinking_tokens": 380}}),
    ]
    assert streamed(*chunks) == TOLD
    assert streamed(*(chunk.model_dump() for chunk in chunks)) == TOLD


def test_a_later_count_of_the_input_replaces_the_first() -> None:
    start = message_start({"input_tokens": 0, "output_tokens": 0})
    delta = message_delta({"input_tokens": 30, "cache_read_input_tokens": 4, "output_tokens": 9})
    assert streamed(start, delta) == Metered((30, 4, 0, 9, 0), "claude-sonnet-4-5")


def test_a_stream_left_early_is_metered_by_what_it_has_told() -> None:
    start = message_start({"input_tokens": 25, "output_tokens": 1})
    assert streamed(start, content_block_delta()) == Metered((25, 0, 0, 1, 0), "claude-sonnet-4-5")
    assert streamed() is None


def test_the_helper_s_last_event_with_the_whole_message_changes_nothing() -> None:
    start = message_start({**USAGE, "output_tokens": 1})
    delta = message_delta({"output_tokens": 500, "output_tokens_details": {"thinking_tokens": 380}})
    assert streamed(start, delta, {"type": "message_stop", "message": message(USAGE)}) == TOLD
