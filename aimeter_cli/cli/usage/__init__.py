"""``aimeter usage``: one module per verb."""

from __future__ import annotations

import typer

from aimeter_cli.cli.usage.check import check
from aimeter_cli.cli.usage.import_ import import_
from aimeter_cli.cli.usage.list import list_
from aimeter_cli.cli.usage.prune import prune
from aimeter_cli.cli.usage.record import record
from aimeter_cli.cli.usage.report import report
from aimeter_cli.cli.usage.reprice import reprice

app = typer.Typer(no_args_is_help=True)
app.command()(record)
app.command()(check)
app.command("import")(import_)
app.command("list")(list_)
app.command()(report)
app.command()(reprice)
app.command()(prune)
