"""Providers by name, by entry point (group ``aimeter.providers``) or by dotted path."""

from __future__ import annotations

from functools import lru_cache
from typing import cast

from aimeter_cli.plugins import Plugins
from aimeter_cli.providers.base import Provider
from aimeter_cli.providers.by_shape import ByShape

_OPENAI = "aimeter_cli.providers.openai:OpenAIProvider"
_GOOGLE = "aimeter_cli.providers.google:GoogleProvider"

_PROVIDERS = Plugins(
    kind="provider",
    group="aimeter.providers",
    built_in={
        "anthropic": "aimeter_cli.providers.anthropic:AnthropicProvider",
        "azure": _OPENAI,
        "gemini": _GOOGLE,
        "google": _GOOGLE,
        "litellm": "aimeter_cli.providers.by_shape:ByShape",
        "manual": "aimeter_cli.providers.manual:ManualProvider",
        "openai": _OPENAI,
    },
    members=("usage", "stream"),
)


@lru_cache(maxsize=256)
def get_provider(name: str) -> Provider:
    """The provider, made once per process.

    A plain name that nobody registered, such as ``mistral``, reads responses by their shape.
    Raises ConfigurationError for a dotted path that leads to no provider.
    """
    found = _PROVIDERS.find(name) or ByShape
    return cast(Provider, found())
