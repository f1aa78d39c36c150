"""Long commands show how far they are where somebody watches, and nowhere else."""

from __future__ import annotations

import re

import pytest

from tests.screens.capture import shown
from tests.screens.frozen import Clock
from tests.screens.screens import SCREENS, Gallery
from tests.screens.story import world


@pytest.mark.parametrize(
    ("line", "bar"),
    [
        ("sync-stripe-overages", r"Syncing.* 1 of 1 "),
        ("audit", r"Checking.* (\d+) of \1 "),
        ("usage import more.jsonl", r"Importing.* 2 of 3 "),
        ("usage reprice", r"Pricing.* 2 of 2 "),
        ("usage prune --older-than 365d --yes", r"Pruning"),
        ("webhooks replay again.jsonl", r"Replaying.* 3 of 3 "),
        ("webhooks prune --older-than 0d --yes", r"Pruning.* of 3 "),
        ("webhooks retry --status ignored", r"Retrying"),
        ("events deliver", r"Delivering"),
        ("subscriptions expire", r"Expiring"),
    ],
)
def test_a_long_command_shows_its_progress_on_a_terminal_only(
    line: str, bar: str, gallery: Gallery
) -> None:
    for is_watched in (True, False):
        with world(gallery.copy(SCREENS[0]), Clock()):
            told = shown(*line.split(), width=None, is_watched=is_watched)
        err = "".join(text for is_err, text in told.parts if is_err)
        assert bool(re.search(bar, err)) is is_watched, err
        assert ("\x1b" in err) is is_watched
