"""What Stripe answers when it is asked: subscriptions by id, and how often each was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from aimeter_cli.billing.base import Reply
from aimeter_cli.billing.directory import DirectoryDriver
from aimeter_cli.domain.sync import Answer


class Subscriptions:
    """``at_ask`` runs while it is asked: what it does is what others may do meanwhile."""

    def __init__(
        self, *bodies: Mapping[str, Any], at_ask: Callable[[], object] = lambda: None
    ) -> None:
        self._bodies = {body["id"]: body for body in bodies}
        self._at_ask = at_ask
        self.asked: list[str] = []

    def subscription(self, subscription_id: str) -> Mapping[str, Any] | Reply:
        self.asked.append(subscription_id)
        self._at_ask()
        found = self._bodies.get(subscription_id)
        return found or Reply(Answer.UNREADABLE, reason="no answer", unreachable=True)


def directory(fake: Subscriptions) -> DirectoryDriver:
    """Only subscriptions are ever asked for by the inbox."""
    return cast(DirectoryDriver, fake)
