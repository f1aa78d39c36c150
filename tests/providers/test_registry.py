"""Providers by name, by entry point, by dotted path, and those of other names."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from aimeter_cli.errors import ConfigurationError
from aimeter_cli.providers.anthropic import AnthropicProvider
from aimeter_cli.providers.base import Metered, StreamUsage
from aimeter_cli.providers.by_shape import ByShape
from aimeter_cli.providers.google import GoogleProvider
from aimeter_cli.providers.manual import ManualProvider
from aimeter_cli.providers.openai import OpenAIProvider
from aimeter_cli.providers.registry import get_provider
from aimeter_cli.providers.running_totals import RunningTotals

PATH = "tests.providers.test_registry:MinutesProvider"


class MinutesProvider:
    """Of one's own: it knows what was charged, and no tokens."""

    def usage(self, response: object) -> Metered | None:
        minutes = Decimal(str(response))
        return Metered((0, 0, 0, 0, 0), "whisper", minutes * Decimal("0.006"), "usd")

    def stream(self) -> StreamUsage:
        return RunningTotals(lambda chunk: chunk, self.usage)


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    get_provider.cache_clear()
    yield
    get_provider.cache_clear()


@pytest.mark.parametrize(
    ("name", "provider"),
    [("openai", OpenAIProvider), ("azure", OpenAIProvider), ("anthropic", AnthropicProvider),
     ("google", GoogleProvider), ("gemini", GoogleProvider), ("litellm", ByShape),
     ("manual", ManualProvider), ("mistral", ByShape), ("vertex-ai", ByShape)],
)  # fmt: skip
def test_built_in_providers_go_by_name_and_others_by_the_shape_of_their_responses(
    name: str, provider: type
) -> None:
    assert type(get_provider(name)) is provider


def test_a_provider_is_made_once() -> None:
    assert get_provider("openai") is get_provider("openai")


@pytest.mark.parametrize("path", [PATH, PATH.replace(":", ".")])
def test_one_s_own_goes_by_a_dotted_path_and_may_tell_the_cost(path: str) -> None:
    provider = get_provider(path)
    told = Metered((0, 0, 0, 0, 0), "whisper", Decimal("0.015"), "usd")
    assert provider.usage("2.5") == told
    stream = provider.stream()
    stream.see("1")
    stream.see("2.5")
    assert stream.usage() == told


def test_one_s_own_goes_by_the_name_of_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    def entry_points(*, group: str, name: str) -> EntryPoints:
        point = EntryPoint("minutes", PATH, "aimeter.providers")
        return EntryPoints([point]).select(group=group, name=name)

    monkeypatch.setattr("aimeter_cli.plugins.entry_points", entry_points)
    assert type(get_provider("minutes")) is MinutesProvider
    assert type(get_provider("hours")) is ByShape


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("no.such.Provider", "provider 'no.such.Provider' cannot be loaded: No module named 'no'"),
        ("tests.providers:Nobody", "has no attribute 'Nobody'"),
        ("os.path", "provider 'os.path' is not a class"),
        ("decimal.Decimal", "has no usage, stream: it is no provider"),
    ],
)
def test_a_path_that_leads_to_no_provider_is_an_error_of_the_configuration(
    path: str, told: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        get_provider(path)
    assert told in caught.value.message


def test_manual_reads_nothing() -> None:
    provider = get_provider("manual")
    assert provider.usage({"usage": {"prompt_tokens": 1, "total_tokens": 1}}) is None
    stream = provider.stream()
    stream.see({"usage": {"prompt_tokens": 1, "total_tokens": 1}})
    assert stream.usage() is None
