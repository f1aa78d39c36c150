"""Stripe's own word on a subscription whose events leave a doubt, asked outside of transactions.

A handler in doubt raises :class:`MustAsk`: what it did is rolled back, the event stays as it was,
and is handled again once the answer is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aimeter_cli.billing.base import Reply
from aimeter_cli.billing.directory import DirectoryDriver
from aimeter_cli.domain.sync import Answer


class MustAsk(Exception):  # no error: the event is only put off
    """``subscription_id`` is to be fetched before the event can be handled."""

    def __init__(self, subscription_id: str) -> None:
        super().__init__(subscription_id)
        self.subscription_id = subscription_id


@dataclass(frozen=True, slots=True)
class Fetched:
    """A subscription as Stripe has it ``at`` that second, or later."""

    body: Mapping[str, Any]
    at: datetime


class Asked:
    """What has been asked for one batch of events: every object once at the most."""

    def __init__(self, directory: DirectoryDriver | None, now: datetime) -> None:
        self._directory = directory
        self._at = now.replace(microsecond=0)
        self._answers: dict[str, Fetched | str] = {}
        self._silent: str | None = None

    def answer(self, subscription_id: str) -> Fetched | str | None:
        """The object, or why it could not be had; None: there is nobody to ask.

        Raises MustAsk where it has not been asked yet.
        """
        if self._directory is None:
            return None
        if subscription_id not in self._answers:
            raise MustAsk(subscription_id)
        return self._answers[subscription_id]

    def ask(self, subscription_ids: Iterable[str]) -> None:
        """Fetch what has not been; once Stripe is silent, the others are not waited for."""
        if self._directory is None:
            return
        for each in dict.fromkeys(subscription_ids):
            if each not in self._answers:
                self._answers[each] = self._silent or self._fetch(self._directory, each)

    def _fetch(self, directory: DirectoryDriver, subscription_id: str) -> Fetched | str:
        found = directory.subscription(subscription_id)
        if not isinstance(found, Reply):
            return Fetched(found, self._at)
        reason = found.reason or found.answer.value
        if found.answer is not Answer.GONE:
            self._silent = reason
        return reason
