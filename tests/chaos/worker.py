"""The processes that sync: one loops without end, as overlapping cron jobs would; another is the
real command. Both end by themselves only when they are done, or by a fault of aimeter's own."""

from __future__ import annotations

import multiprocessing
import os
import sys
from pathlib import Path
from random import Random

from aimeter_cli.billing.registry import make_driver
from aimeter_cli.db.engine import Database
from aimeter_cli.services.sync.plan import Options
from aimeter_cli.services.sync.run import run_sync
from aimeter_cli.signals import StopFlag
from tests.chaos.scenario import COMMAND_LEASE, RATE, TIMEOUT, settings
from tests.support.world import NOW

_OURS = ("AI_METERING_", "AIMETER_", "STRIPE_")
_CONFIGURATION = f"""\
database_url = "{{database}}"
lease_seconds = {COMMAND_LEASE}
[billing]
driver = "stripe"
[stripe]
api_base = "{{stripe}}"
timeout_seconds = {TIMEOUT}
[currency_rates]
usd_eur = {RATE}
"""


def sync(database_url: str, sandbox_url: str, _folder: str, seed: str) -> None:
    """Run after run, of so many overages as the seed says, as long as the story goes on."""
    rnd, pause = Random(seed), StopFlag()
    given = settings(sandbox_url)
    database, driver = Database(database_url), make_driver(given)
    story = multiprocessing.parent_process()
    while story is not None and story.is_alive():
        options = Options(limit=rnd.choice((5, 15, 40)), retry_now=True)
        report = run_sync(database, given, driver, options, now=NOW, stop=StopFlag())
        if report.fault is not None:
            raise report.fault
        if report.error is not None:
            raise report.error
        pause.wait(rnd.random() * 0.2)


def command(database_url: str, sandbox_url: str, home: str, _seed: str) -> None:
    """``aimeter sync-stripe-overages``, away from this host's configuration."""
    for name in [name for name in os.environ if name.startswith(_OURS)]:
        del os.environ[name]
    os.environ |= {"HOME": home, "XDG_CONFIG_HOME": home, "STRIPE_API_KEY": "sk_test_world"}
    os.chdir(home)
    file = Path("aimeter.toml")
    file.write_text(_CONFIGURATION.format(database=database_url, stripe=sandbox_url), "utf-8")
    from aimeter_cli.cli.main import main

    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        sys.stdout = nowhere
        main(["sync-stripe-overages", "--limit", "40", "--retry-now", "--as-of", NOW.isoformat()])
