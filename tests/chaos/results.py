"""What the runs came to, as a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aimeter_cli.render.noun import COUNT, Column, Noun
from aimeter_cli.render.plain import plain_table
from tests.chaos.story import Played


@dataclass(frozen=True, slots=True)
class Result:
    """A run by its name (seed, database, keys) and what was ``played``.

    The control's is as it should be when it is not clean.
    """

    run: str
    played: Played
    is_control: bool = False

    @property
    def is_as_it_should_be(self) -> bool:
        return self.played.is_clean != self.is_control

    @property
    def verdict(self) -> str:
        if self.is_control:
            return "CLEAN: the oracle sees nothing" if self.played.is_clean else "found out"
        return "clean" if self.played.is_clean else "NOT CLEAN"


def table(results: Sequence[Result]) -> str:
    return plain_table(_RESULT, list(results))


def details(result: Result, most: int = 20) -> str:
    """The first differences and crashes, a line each."""
    played = result.played
    told = [*played.verdict.differences, *played.crashes][:most]
    return "".join(f"  {line}\n" for line in told)


_RESULT = Noun(
    "result",
    (
        Column("run"),
        Column("overages", COUNT, "played.overages"),
        Column("kills", COUNT, "played.kills"),
        Column("stops", COUNT, "played.stops"),
        Column("requests", COUNT, "played.requests"),
        Column("faulted", get=lambda result: f"{result.played.faulted:.0%}"),
        Column("doubled", COUNT, "played.verdict.doubled"),
        Column("lost", COUNT, "played.verdict.lost"),
        Column("wrong", COUNT, "played.verdict.wrong", header="Wrong amounts"),
        Column("poison", COUNT, "played.verdict.poison", header="Poison charged"),
        Column("crashes", COUNT, lambda result: len(result.played.crashes)),
        Column("verdict"),
    ),
)
