"""Responses of whoever answers in one of the known shapes: LiteLLM, and names not known here."""

from __future__ import annotations

from aimeter_cli.providers.anthropic import AnthropicProvider
from aimeter_cli.providers.base import Metered, Provider, StreamUsage
from aimeter_cli.providers.fields import field
from aimeter_cli.providers.google import GoogleProvider
from aimeter_cli.providers.openai import OpenAIProvider


class ByShape:
    """Tells the shape from the fields' names; a usage in no known shape is none."""

    def usage(self, response: object) -> Metered | None:
        provider = _provider_of(response)
        return None if provider is None else provider.usage(response)

    def stream(self) -> StreamUsage:
        return _StreamByShape()


class _StreamByShape:
    """The first chunk that tells a usage tells the shape."""

    def __init__(self) -> None:
        self._stream: StreamUsage | None = None

    def see(self, chunk: object) -> None:
        if self._stream is None:
            inner = field(chunk, "message", "response", "chunk", "interaction")
            provider = _provider_of(chunk) or _provider_of(inner)
            if provider is None:
                return
            self._stream = provider.stream()
        self._stream.see(chunk)

    def usage(self) -> Metered | None:
        return None if self._stream is None else self._stream.usage()


def _provider_of(document: object) -> Provider | None:
    """OpenAI's responses and Anthropic's messages share names, but only OpenAI tells a total."""
    if field(document, "usage_metadata", "usageMetadata") is not None:
        return GoogleProvider()
    usage = field(document, "usage")
    if field(usage, "total_input_tokens") is not None:
        return GoogleProvider()
    if field(usage, "prompt_tokens", "total_tokens", "input_tokens_details") is not None:
        return OpenAIProvider()
    if field(usage, "input_tokens", "output_tokens") is not None:
        return AnthropicProvider()
    return None
