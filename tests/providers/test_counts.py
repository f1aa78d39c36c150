"""Counts: never negative, never more than the wholes; what is no count is an error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimeter_cli.providers.base import UnreadableUsage
from aimeter_cli.providers.fields import disjoint
from aimeter_cli.providers.registry import get_provider

COUNTS = st.integers(min_value=0, max_value=10**12)


@given(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)
def test_classes_are_never_negative_and_add_up_to_what_is_billed(
    prompt: int, output: int, cached: int, written: int, reasoning: int
) -> None:
    tokens = disjoint(prompt, output, cached=cached, written=written, reasoning=reasoning)
    assert min(tokens) >= 0
    assert sum(tokens[:3]) == prompt
    assert sum(tokens[3:]) == output
    assert tokens[1] <= cached
    assert tokens[2] <= written
    assert tokens[4] <= reasoning


@pytest.mark.parametrize(
    ("name", "response", "field", "value"),
    [
        ("openai", {"usage": {"prompt_tokens": -5}}, "prompt_tokens", -5),
        ("openai", {"usage": {"input_tokens": 5, "output_tokens": "7"}}, "output_tokens", "7"),
        ("openai", {"usage": {"prompt_tokens": 5, "prompt_tokens_details":
                              {"cached_tokens": -1}}}, "cached_tokens", -1),
        ("anthropic", {"usage": {"input_tokens": 5, "output_tokens": 1.5}}, "output_tokens", 1.5),
        ("anthropic", {"usage": {"input_tokens": True}}, "input_tokens", True),
        ("google", {"usage_metadata": {"prompt_token_count": 5, "thoughts_token_count": -2}},
         "thoughts_token_count", -2),
        ("mistral", {"usage": {"prompt_tokens": [], "total_tokens": 1}}, "prompt_tokens", []),
    ],
)  # fmt: skip
def test_what_is_no_count_is_an_error_with_the_figures(
    name: str, response: object, field: str, value: object
) -> None:
    with pytest.raises(UnreadableUsage) as caught:
        get_provider(name).usage(response)
    assert caught.value.figures == {field: value}
    assert caught.value.message == (
        f"the response's {field} is {value!r}: expected a whole number from 0"
    )


def test_whole_numbers_written_as_fractions_are_counts() -> None:
    metered = get_provider("openai").usage({"usage": {"prompt_tokens": 12.0, "total_tokens": 12}})
    assert metered is not None
    assert metered.tokens == (12, 0, 0, 0, 0)
    assert type(metered.tokens[0]) is int


@pytest.mark.parametrize("name", ["openai", "anthropic", "google", "mistral"])
def test_looking_at_a_stream_raises_nothing_its_usage_does(name: str) -> None:
    stream = get_provider(name).stream()
    stream.see(object())
    bad = {"prompt_token_count": -1} if name == "google" else {"input_tokens": -1}
    stream.see({"usage": bad, "usage_metadata": bad if name == "google" else None})
    with pytest.raises(UnreadableUsage):
        stream.usage()
