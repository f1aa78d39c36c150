"""``aimeter status``."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.errors import InvalidInput
from aimeter_cli.render.nouns.status import STATUS
from aimeter_cli.settings.parse import duration


def _age(text: str) -> timedelta:
    if text[-1:].isdigit():
        raise InvalidInput(f"--max-age: {text!r} has no unit; expected such as 90s, 30m, 2h or 1d")
    try:
        return duration(text)
    except InvalidInput as error:
        raise InvalidInput(f"--max-age: {error.message}") from None


def status(
    ctx: typer.Context,
    max_age: Annotated[
        timedelta | None,
        typer.Option(parser=_age, metavar="AGE", help="With its unit, such as 90s, 30m, 2h or 1d."),
    ] = None,
) -> None:
    """See whether the jobs run, and what is not on an invoice yet. For monitors, with --max-age.

    With --max-age exit 1 if the sync is paused, if its last success ended longer ago, or if
    Stripe has owed an answer for longer. A run with exit 3 is a success: it did its work, single
    rows failed. Without --max-age exit 0.

    Example: aimeter status --max-age 30m
    """
    from aimeter_cli.services import status as service

    run = invocation(ctx)
    found = service.status(run.app.database, run.app.settings, now=run.now(), max_age=max_age)
    run.out.one(STATUS, found)
    if max_age is not None and not found.is_ok:
        raise typer.Exit(1)
