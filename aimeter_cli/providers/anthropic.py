"""Anthropic messages.

Input, what was read from the cache and what was written to it exclude each other; the output
includes the thinking (https://platform.claude.com/docs/en/api/messages).
"""

from __future__ import annotations

from aimeter_cli.providers.base import Metered, StreamUsage, Tokens
from aimeter_cli.providers.fields import count, disjoint, field, text

_FIELDS = (
    "input_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "output_tokens",
    "output_tokens_details",
    "iterations",
)
_ON_TOP = ("compaction", "advisor_message")
"""Iterations that are billed, but left out of the sums. Declined attempts (``message`` beside a
``fallback_message``) are not billed."""


class AnthropicProvider:
    """An advisor's tokens count as the message's: at the price of the model that asked it."""

    def usage(self, response: object) -> Metered | None:
        usage = field(response, "usage")
        if field(usage, "input_tokens", "output_tokens") is None:
            return None
        iterations = field(usage, "iterations") or ()
        parts = [_classes(usage)]
        parts += [_classes(each) for each in iterations if field(each, "type") in _ON_TOP]
        served = [each for each in iterations if field(each, "type") == "fallback_message"]
        model = text(served[-1], "model") if served else None
        columns = zip(*parts, strict=True)
        return Metered(tuple(sum(column) for column in columns), model or text(response, "model"))

    def stream(self) -> StreamUsage:
        return _MessageStream(self)


class _MessageStream:
    """``message_start`` tells the input, each ``message_delta`` running totals: the last counts.

    A stream that is left early has told the output only so far.
    """

    def __init__(self, provider: AnthropicProvider) -> None:
        self._provider = provider
        self._model: str | None = None
        self._usage: dict[str, object] = {}

    def see(self, chunk: object) -> None:
        message = field(chunk, "message")
        self._model = text(message, "model") or self._model
        usage = field(chunk if message is None else message, "usage")
        for name in _FIELDS:
            value = field(usage, name)
            if value is not None:
                self._usage[name] = value

    def usage(self) -> Metered | None:
        return self._provider.usage({"model": self._model, "usage": self._usage})


def _classes(usage: object) -> Tokens:
    cached = count(usage, "cache_read_input_tokens")
    written = count(usage, "cache_creation_input_tokens")
    return disjoint(
        count(usage, "input_tokens") + cached + written,
        count(usage, "output_tokens"),
        cached=cached,
        written=written,
        reasoning=count(field(usage, "output_tokens_details"), "thinking_tokens"),
    )
