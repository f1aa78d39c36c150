"""What a provider is: it reads the usage out of responses and out of streams."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple, Protocol

from aimeter_cli.errors import AimeterError

Tokens = tuple[int, int, int, int, int]
"""Disjoint counts: input, cached input, cache write, output, reasoning."""


class Metered(NamedTuple):
    """What a response tells.

    ``cost`` is in major units of ``currency``. The providers here leave it None, so that our own
    prices hold; one of your own may know what was really charged.
    """

    tokens: Tokens
    model: str | None = None
    cost: Decimal | None = None
    currency: str | None = None


class UnreadableUsage(AimeterError):
    """A response tells a count that is none: negative, or no whole number.

    ``figures``: the field and what it holds.
    """

    def __init__(self, field: str, value: object) -> None:
        self.figures: Mapping[str, object] = {field: value}
        super().__init__(
            f"the response's {field} is {value!r}: expected a whole number from 0",
            hint="Record this usage with the tokens that the provider bills.",
        )


class StreamUsage(Protocol):
    """Looks at the chunks of one stream as they pass by."""

    def see(self, chunk: object) -> None:
        """Note what the chunk tells. Raises nothing: the stream is the application's."""
        ...

    def usage(self) -> Metered | None:
        """What was told so far, also of a stream that was left early. Raises UnreadableUsage."""
        ...


class Provider(Protocol):
    """Made without arguments, shared by threads: keeps nothing between calls."""

    def usage(self, response: object) -> Metered | None:
        """None: there is no usage of tokens in it. Raises UnreadableUsage."""
        ...

    def stream(self) -> StreamUsage: ...
