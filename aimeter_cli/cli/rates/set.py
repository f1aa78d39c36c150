"""``aimeter rates set``."""

from __future__ import annotations

from typing import Annotated

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import DryRun
from aimeter_cli.cli.rates.arguments import At, Base, Quote, Source
from aimeter_cli.render.nouns.rates import STORED_RATE


def set_(
    ctx: typer.Context,
    base: Base,
    quote: Quote,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="1 BASE in QUOTE, such as 0.85.")],
    at: At = None,
    source: Source = None,
    dry_run: DryRun = False,
) -> None:
    """Store a rate that holds from now, or from --at, until the next one.

    Example: aimeter rates set usd eur 0.85 --at 2026-11-01 --source ECB
    """
    from aimeter_cli.domain.rates import Rate
    from aimeter_cli.services.rates import moves_far, set_rates
    from aimeter_cli.settings.parse import rate_value

    run = invocation(ctx)
    rate = Rate(base, quote, rate_value(value, "VALUE"), at, source or "manual")
    stored = set_rates(run.app.database, [rate], now=run.now(), dry_run=dry_run)
    run.out.one(STORED_RATE, stored[0])
    if moves_far(stored[0], run.app.settings):
        run.console.warn(f"far from the rate before it, {stored[0].previous:f}; is it right?")
    run.dry_run_notice(dry_run)
