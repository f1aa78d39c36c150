"""``aimeter config``."""

from __future__ import annotations

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.render.nouns.settings import SETTING

app = typer.Typer(no_args_is_help=True)


@app.command()
def show(ctx: typer.Context) -> None:
    """Show every setting, its value, and where the value comes from. Secrets are masked.

    Example: aimeter config show --format json
    """
    from aimeter_cli.settings.shown import shown_settings

    run = invocation(ctx)
    run.out.rows(SETTING, shown_settings(run.app.loaded))
