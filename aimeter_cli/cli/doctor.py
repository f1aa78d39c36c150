"""``aimeter doctor``."""

from __future__ import annotations

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.render.nouns.doctor import CHECK


def doctor(ctx: typer.Context) -> None:
    """Check configuration, database, Stripe and overages; exit 1 if something does not work.

    Example: aimeter doctor --format json
    """
    from aimeter_cli.doctor.examine import examine

    run = invocation(ctx)
    checks = list(examine(run.app))
    run.out.rows(CHECK, checks, empty="")
    if any(check.status == "failed" for check in checks):
        raise typer.Exit(1)
