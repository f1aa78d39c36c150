"""``aimeter rates``: one module per verb."""

from __future__ import annotations

import typer

from aimeter_cli.cli.rates.confirm import confirm
from aimeter_cli.cli.rates.convert import convert
from aimeter_cli.cli.rates.history import history
from aimeter_cli.cli.rates.list import list_
from aimeter_cli.cli.rates.remove import remove
from aimeter_cli.cli.rates.set import set_
from aimeter_cli.cli.rates.update import update

app = typer.Typer(no_args_is_help=True)
app.command("set")(set_)
app.command("list")(list_)
app.command()(history)
app.command()(remove)
app.command()(convert)
app.command()(update)
app.command()(confirm)
