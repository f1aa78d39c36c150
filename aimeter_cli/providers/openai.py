"""OpenAI: chat completions, responses, embeddings; and the many servers that answer alike.

The prompt includes what was read from and written to the cache, the output includes the reasoning
(https://developers.openai.com/api/docs/guides/prompt-caching). xAI counts reasoning on top, which
its total shows. DeepSeek and LiteLLM have names of their own beside OpenAI's.
"""

from __future__ import annotations

from aimeter_cli.providers.base import Metered, StreamUsage
from aimeter_cli.providers.fields import count, disjoint, field, is_on_top, text, whole_number
from aimeter_cli.providers.running_totals import RunningTotals


class OpenAIProvider:
    """A stream of chat completions tells its usage only with
    ``stream_options={"include_usage": True}``."""

    def usage(self, response: object) -> Metered | None:
        usage = field(response, "usage")
        if field(usage, "prompt_tokens", "input_tokens") is None:
            return None
        prompt = count(usage, "prompt_tokens", "input_tokens")
        output = count(usage, "completion_tokens", "output_tokens")
        read_and_written = field(usage, "prompt_tokens_details", "input_tokens_details")
        cached = field(read_and_written, "cached_tokens")
        if cached is None:
            cached = field(usage, "prompt_cache_hit_tokens", "cache_read_input_tokens")
        written = field(read_and_written, "cache_write_tokens", "cache_creation_tokens")
        if written is None:
            written = field(usage, "cache_creation_input_tokens")
        reasoning = count(
            field(usage, "completion_tokens_details", "output_tokens_details"), "reasoning_tokens"
        )
        if is_on_top(reasoning, prompt + output, count(usage, "total_tokens"), usually=False):
            output += reasoning
        tokens = disjoint(
            prompt, output,
            cached=whole_number(cached, "cached_tokens"),
            written=whole_number(written, "cache_write_tokens"),
            reasoning=reasoning,
        )  # fmt: skip
        return Metered(tokens, text(response, "model"))

    def stream(self) -> StreamUsage:
        return RunningTotals(_telling, self.usage)


def _telling(chunk: object) -> object:
    """Events of responses carry the response, those of ``chat.completions.stream()`` the chunk."""
    document = field(chunk, "response", "chunk")
    if document is None:
        document = chunk
    return None if field(document, "usage") is None else document
