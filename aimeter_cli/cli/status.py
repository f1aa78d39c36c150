"""``aimeter status``."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from aimeter_cli.cli.invocation import Invocation, invocation
from aimeter_cli.errors import InvalidInput
from aimeter_cli.render.nouns.status import shown_status
from aimeter_cli.settings.parse import duration

if TYPE_CHECKING:
    from aimeter_cli.services.status import Status


def _age(text: str) -> timedelta:
    if text[-1:].isdigit():
        raise InvalidInput(f"--max-age: {text!r} has no unit; expected such as 90s, 30m, 2h or 1d")
    try:
        return duration(text)
    except InvalidInput as error:
        raise InvalidInput(f"--max-age: {error.message}") from None


def _metrics(run: Invocation, max_age: timedelta | None) -> Status:
    from aimeter_cli import __version__
    from aimeter_cli.migrations import HEAD
    from aimeter_cli.render.prometheus import exposition
    from aimeter_cli.services.health import health

    with run.app.database.read() as session:
        found = health(session, run.app.settings, now=run.now(), max_age=max_age)
    run.out.text(exposition(found, version=__version__, schema=HEAD))
    return found.status


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
    rows failed. Without --max-age exit 0. --format prometheus writes metrics, for the textfile
    collector of node_exporter.

    Example: aimeter status --max-age 30m
    """
    from aimeter_cli.services import status as service

    run = invocation(ctx)
    if run.is_for_prometheus:
        found = _metrics(run, max_age)
    else:
        found = service.status(run.app.database, run.app.settings, now=run.now(), max_age=max_age)
        run.out.one(shown_status(found, run.out.terminal), found)
    if max_age is not None and not found.is_ok:
        raise typer.Exit(1)
