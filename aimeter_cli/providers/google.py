"""Google Gemini: generated content, embeddings and interactions, in the names of the Python
package and of the REST interface.

The prompt includes what was read from the cache; results of tools come on top of it, and thoughts
on top of the candidates (https://ai.google.dev/api/generate-content#UsageMetadata), except with
models that count them among the candidates, which the total shows.
"""

from __future__ import annotations

from aimeter_cli.providers.base import Metered, StreamUsage
from aimeter_cli.providers.fields import count, disjoint, field, is_on_top, text
from aimeter_cli.providers.running_totals import RunningTotals

_PROMPT = ("prompt_token_count", "promptTokenCount", "total_input_tokens")
_CACHED = ("cached_content_token_count", "cachedContentTokenCount", "total_cached_tokens")
_TOOLS = ("tool_use_prompt_token_count", "toolUsePromptTokenCount", "total_tool_use_tokens")
_OUTPUT = (
    "candidates_token_count",
    "candidatesTokenCount",
    "response_token_count",
    "responseTokenCount",
    "total_output_tokens",
)
_THOUGHTS = ("thoughts_token_count", "thoughtsTokenCount", "total_thought_tokens")
_TOTAL = ("total_token_count", "totalTokenCount", "total_tokens")


class GoogleProvider:
    """A stream's chunks tell running totals."""

    def usage(self, response: object) -> Metered | None:
        usage = _usage(response)
        if field(usage, *_PROMPT, *_OUTPUT) is None:
            return None
        prompt = count(usage, *_PROMPT) + count(usage, *_TOOLS)
        output, thoughts = count(usage, *_OUTPUT), count(usage, *_THOUGHTS)
        if is_on_top(thoughts, prompt + output, count(usage, *_TOTAL), usually=True):
            output += thoughts
        tokens = disjoint(prompt, output, cached=count(usage, *_CACHED), reasoning=thoughts)
        return Metered(tokens, text(response, "model_version", "modelVersion", "model"))

    def stream(self) -> StreamUsage:
        return RunningTotals(_telling, self.usage)


def _usage(response: object) -> object:
    return field(response, "usage_metadata", "usageMetadata", "usage")


def _telling(chunk: object) -> object:
    """Events of interactions carry the interaction."""
    document = field(chunk, "interaction")
    if document is None:
        document = chunk
    return None if _usage(document) is None else document
