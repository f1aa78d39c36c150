"""How an alert gets to a Slack-compatible webhook. Its address is a secret.

Source: https://docs.slack.dev/messaging/formatting-message-text (what is escaped).
"""

from __future__ import annotations

import json

from aimeter_cli.domain.alerts import in_words
from aimeter_cli.domain.events import EventName
from aimeter_cli.errors import ConfigurationError, InvalidInput
from aimeter_cli.repositories.deliveries import Due
from aimeter_cli.services.events.posting import Poster
from aimeter_cli.settings import parse
from aimeter_cli.settings.alerts import AlertSink
from aimeter_cli.settings.load import secret_of

_TEXT_LIMIT = 3000
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class SlackSender:
    """Posts the alert as a text: delivered if the answer is 2xx."""

    def __init__(self, sink: AlertSink) -> None:
        self._poster = Poster(_address(sink), sink.timeout_seconds)

    def send(self, due: Due) -> None:
        body = json.dumps({"text": slack_text(words_of(due))}).encode()
        self._poster.post(body, {"Content-Type": "application/json"})

    def close(self) -> None:
        self._poster.close()


def words_of(due: Due) -> str:
    return in_words(EventName(due.name), due.billable, json.loads(due.payload))


def slack_text(text: str) -> str:
    """Escaped, so that nothing in it is a link, a mention or an entity; of bearable length."""
    return text[:_TEXT_LIMIT].translate(_ESCAPES)


def _address(sink: AlertSink) -> str:
    found = secret_of(sink.slack_env)
    if not found:
        raise ConfigurationError(
            f"alert {sink.name}: {sink.slack_env} is not set",
            hint="Put the webhook's address into the environment or .env.",
        )
    try:
        return parse.url(found.strip())
    except InvalidInput:  # its message holds the address
        raise ConfigurationError(
            f"alert {sink.name}: {sink.slack_env} holds no http(s) address"
        ) from None
