"""``aimeter usage import``."""

from __future__ import annotations

import sys
from signal import SIGINT
from typing import Annotated, BinaryIO, Literal

import typer

from aimeter_cli.cli.invocation import invocation
from aimeter_cli.cli.options import DryRun
from aimeter_cli.cli.usage.recording import recorder, sync_immediately
from aimeter_cli.errors import Interrupted, RowsFailed
from aimeter_cli.render.nouns.usage import IMPORT


def import_(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="JSONL or CSV; - is stdin.")],
    input_format: Annotated[
        Literal["jsonl", "csv"] | None, typer.Option(help="By the file's ending, if not given.")
    ] = None,
    on_error: Annotated[
        Literal["stop", "skip"], typer.Option(help="At a bad line; good ones are kept.")
    ] = "skip",
    dry_run: DryRun = False,
) -> None:
    """Import usages; the same file again, renamed too, adds nothing. Lines must say occurred_at.

    Exit 3 if there were bad lines; they are listed with their number and reason.

    Example: aimeter usage import october.jsonl --on-error stop
    """
    from aimeter_cli.services.recording.import_file import (
        format_of,
        import_usages,
        lines_in,
        open_source,
    )

    run = invocation(ctx)
    form = format_of(file, input_format)
    with open_source(file, _stdin) as source:
        total = lines_in(file) if run.console.shows_progress else None
        with run.progress("Importing", total) as advance:
            report = import_usages(
                recorder(run), source, name=file, form=form, now=run.now(), on_error=on_error,
                dry_run=dry_run, advance=advance,
            )  # fmt: skip
    if not (dry_run or report.interrupted):
        sync_immediately(run, report.billables)
    run.out.one(IMPORT, report)
    if report.unpriced:
        run.console.warn(
            f"{report.unpriced} usages have no cost and no price in [prices]: they are counted, "
            "but not priced"
        )
    run.dry_run_notice(dry_run)
    if report.interrupted:
        run.console.notice(
            f"{report.recorded + report.repeated:,} of the {report.lines:,} lines read so far are "
            "recorded. The same command goes on, and adds none of them twice."
        )
        raise Interrupted(SIGINT)
    if report.bad:
        kept = "would be kept" if dry_run else "were kept"
        raise RowsFailed(
            f"{file}: {report.bad} bad line(s)"
            + (", reading stopped there" if report.stopped else f", the others {kept}"),
            hint=report.hint,
        )


def _stdin() -> BinaryIO:
    return sys.stdin.buffer
