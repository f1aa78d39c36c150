"""``aimeter webhooks prune``."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import DryRun, Yes
from aimeter_cli.errors import InvalidInput
from aimeter_cli.render.nouns.webhooks import PAYLOAD_PRUNE


def _age(text: str) -> timedelta:
    from aimeter_cli.settings.parse import duration

    try:
        return duration(str(text))
    except InvalidInput as error:
        raise InvalidInput(f"--older-than: {error.message}") from None


def prune(
    ctx: typer.Context,
    older_than: Annotated[
        timedelta, typer.Option(parser=_age, metavar="DAYS", help="Of arrival, such as 90d.")
    ],
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Empty the payloads of old events. Their ids and hashes stay: none is ever handled twice.

    Failed ones of that age are given up with it: they are not retried any more.
    What was not handled yet, or waits for its subscription, stays. For cron.

    Example: aimeter webhooks prune --older-than 90d --yes
    """
    from aimeter_cli.signals import stop_on_signals
    from aimeter_cli.webhooks import prune as pruning

    run = invocation(ctx)
    database, before = run.app.database, run.now() - older_than
    done = pruning.plan_prune(database, before)
    if not dry_run and done.pruned:
        run.confirm(f"Empty {done.pruned:,} payloads, for good?", yes=yes)
    with stop_on_signals() as stop, run.progress("Pruning", done.pruned) as advance:
        if not dry_run:
            done = pruning.prune(database, before, stop=stop, advance=advance)
    run.out.one(PAYLOAD_PRUNE, done)
    run.dry_run_notice(dry_run)
    stop.raise_if_signalled()
