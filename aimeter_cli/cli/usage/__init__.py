"""``aimeter usage``: one module per verb."""

from __future__ import annotations

import typer

from aimeter_cli.cli.usage.import_ import import_
from aimeter_cli.cli.usage.record import record

app = typer.Typer(no_args_is_help=True)
app.command()(record)
app.command("import")(import_)
