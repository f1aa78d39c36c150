"""``python -m tests.chaos``: play seeds on both databases under every regime of keys, and judge.

Exit 1 if a run is not clean, or the control's is.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from aimeter_cli.sandbox.process import running
from tests.chaos.databases import KINDS, empty_database
from tests.chaos.results import Result, details, table
from tests.chaos.scenario import KEYS, calm_settings
from tests.chaos.story import AIMETER, CONTROL, Played, Subject, play
from tests.support.world import World


def main(args: list[str] | None = None) -> int:
    given = _parser().parse_args(args)
    seeds = range(1, given.seeds + 1) if given.seed is None else (given.seed,)
    kinds = KINDS if given.database == "both" else (given.database,)
    regimes = tuple(KEYS) if given.keys == "all" else (given.keys,)
    results: list[Result] = []
    for seed in seeds:
        for kind in kinds:
            for keys in regimes:
                played = _play(AIMETER, kind, seed, keys, given.seconds)
                results.append(_told(Result(f"seed {seed}, {kind}, keys {keys}", played)))
                if not played.is_clean:
                    again = f"--seed {seed} --database {kind} --keys {keys}"
                    print(f"  again: python -m tests.chaos {again}", file=sys.stderr)
    played = _play(CONTROL, kinds[0], seeds[0], "normal", given.seconds)
    results.append(_told(Result(f"control, seed {seeds[0]}, {kinds[0]}", played, is_control=True)))
    print(table(results), end="")
    return 0 if all(result.is_as_it_should_be for result in results) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--seeds", type=int, default=3, metavar="N", help="seeds 1 to N")
    which.add_argument("--seed", type=int, metavar="K", help="this one only")
    parser.add_argument("--database", choices=(*KINDS, "both"), default="both")
    parser.add_argument("--keys", choices=(*KEYS, "all"), default="all")
    parser.add_argument("--seconds", type=float, default=30, help="of faults, in each run")
    return parser


def _play(subject: Subject, kind: str, seed: int, keys: str, seconds: float) -> Played:
    with tempfile.TemporaryDirectory(prefix="chaos") as name:  # short: sockets live in it
        folder = Path(name)
        with running(folder / "stripe.db") as sandbox, empty_database(kind, folder) as database:
            world = World(database, sandbox, calm_settings(sandbox.url))
            try:
                return play(world, subject, folder, seed, keys, seconds)
            finally:
                world.close()


def _told(result: Result) -> Result:
    """Say at once how it went; what is wrong in words, unless it should be."""
    print(f"{result.run}: {result.verdict}", file=sys.stderr, flush=True)
    if not result.is_as_it_should_be:
        print(details(result), end="", file=sys.stderr, flush=True)
    return result


if __name__ == "__main__":
    sys.exit(main())
