"""Equal lines are told apart, however many lines there are."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from aimeter_cli.services.recording.occurrences import Occurrences


@pytest.mark.parametrize("in_memory", [1, 7, 1000])
def test_each_fingerprint_is_counted_from_one_wherever_its_earlier_ones_are(in_memory: int) -> None:
    dice = random.Random(7)
    expected: Counter[str] = Counter()
    with Occurrences(in_memory) as occurrences:
        for _ in range(500):
            fingerprint = f"{dice.randrange(40):032x}"
            expected[fingerprint] += 1
            assert occurrences.count(fingerprint) == expected[fingerprint]


def test_no_more_fingerprints_than_allowed_are_kept_in_memory() -> None:
    with Occurrences(10) as occurrences:
        for number in range(95):
            occurrences.count(f"{number:032x}")
            assert len(occurrences._latest) < 10
        assert occurrences.count(f"{3:032x}") == 2
