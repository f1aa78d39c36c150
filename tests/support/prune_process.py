"""A process that prunes and is killed in the middle of a batch, before that is committed.

``python -m tests.support.prune_process DATABASE_URL BATCH_SIZE WHICH_BATCH``
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from sqlmodel import Session

from aimeter_cli.db.engine import Database
from aimeter_cli.repositories import prune as repo
from aimeter_cli.repositories.prune import Limits
from aimeter_cli.services.prune import horizon, plan_prune, prune
from aimeter_cli.settings.table import Settings
from tests.services.test_prune import AGE, LATER


def main(database_url: str, batch_size: str, which: str) -> None:
    real, batches = repo.prune_usages, 0

    def dies(session: Session, limits: Limits, ids: Sequence[int]) -> tuple[int, int]:
        nonlocal batches
        batches += 1
        done = real(session, limits, ids)
        if batches == int(which):
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    repo.prune_usages = dies
    database, settings = Database(database_url), Settings()
    before = horizon(settings, AGE, now=LATER)
    planned = plan_prune(database, settings, before, now=LATER)
    prune(database, settings, planned, now=LATER, batch_size=int(batch_size))


if __name__ == "__main__":
    main(*sys.argv[1:])
