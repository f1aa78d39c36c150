"""``aimeter``: the console entry and the global options."""

from __future__ import annotations

import gc
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer
from typer.main import get_command

from aimeter_cli.cli.lazy import LazyGroup
from aimeter_cli.errors import InvalidInput

app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog="Example: aimeter overages list --unsynced --format json\n\n"
    "These options go anywhere on the line, before or after the command.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from aimeter_cli import __version__

        typer.echo(f"aimeter {__version__}")
        raise typer.Exit


@app.callback()
def aimeter(
    ctx: typer.Context,
    config: Annotated[
        Path | None, typer.Option(help="Configuration file, instead of ./aimeter.toml.")
    ] = None,
    database_url: Annotated[
        str | None, typer.Option(help="Database, instead of the configured one.")
    ] = None,
    format: Annotated[  # noqa: A002
        Literal["table", "plain", "markdown", "csv", "tsv", "json", "jsonl", "prometheus"] | None,
        typer.Option(
            help="Of what is printed; a table on a terminal, plain elsewhere. prometheus: status "
            "only."
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No notices, only errors.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="More details.")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="As NO_COLOR does.")] = False,
    as_of: Annotated[
        str | None, typer.Option(metavar="TIME", help="Pretend that this is now, ISO 8601.")
    ] = None,
    log_file: Annotated[Path | None, typer.Option(help="Append a log of JSON lines.")] = None,
    version: Annotated[  # noqa: ARG001
        bool, typer.Option("--version", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Meter AI usage against plans, and put overages on Stripe invoices exactly once."""
    from aimeter_cli.cli.invocation import Invocation, begin
    from aimeter_cli.cli.log import start_logging
    from aimeter_cli.render.console import Console

    if format == "prometheus" and ctx.invoked_subcommand != "status":
        raise InvalidInput(
            "--format: prometheus is for aimeter status only",
            hint="Expected table, plain, markdown, csv, tsv, json or jsonl.",
        )
    start_logging(log_file)
    console = Console(quiet=quiet, verbose=verbose, no_color=no_color)
    started = Invocation(
        console=console, config=config, database_url=database_url, format=format, as_of=as_of
    )
    begin(ctx, started)


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and end the process. ``args`` default to the process's own."""
    # A short-lived process makes few cycles; looking for them at every 700 objects costs a tenth
    # of its start-up.
    gc.set_threshold(50_000, 20, 20)
    if os.environ.get("_AIMETER_COMPLETE") == "complete_bash":
        from aimeter_cli.cli.completion import rejoin_bash_words

        rejoin_bash_words(os.environ)
    get_command(app).main(args, prog_name="aimeter")
    raise AssertionError("the command's main ends the process")  # pragma: no cover
