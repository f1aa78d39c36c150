"""``aimeter rates list``."""

from __future__ import annotations

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.rates.arguments import At, how_to_confirm
from aimeter_cli.render.nouns.rates import RATE


def list_(ctx: typer.Context, at: At = None) -> None:
    """List the newest rate of each pair, stored and configured, with its age, and what is held.

    A held rate moved too far against the one before it, and is not used until it is confirmed.

    Example: aimeter rates list --at 2026-10-31
    """
    from aimeter_cli.services.rates import list_rates

    run = invocation(ctx)
    found = list_rates(run.app.database, run.app.settings, at=at or run.now())
    run.out.rows(RATE, found, empty="No rate yet. Fetch some: aimeter rates update --from ecb")
    held = [rate.held_id for rate in found if rate.status == "held"]
    if held:
        run.console.notice(f"{len(held)} held; to use them: {how_to_confirm(held)}")
