"""``aimeter usage report --html``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimeter_cli.cli.invocation import Invocation

if TYPE_CHECKING:
    from aimeter_cli.domain.references import BillableRef
    from aimeter_cli.services.reports.span import Span

_ROWS = 50
"""Models and customers of a currency that stand by themselves, unless --limit says otherwise."""


def write_page(
    run: Invocation,
    path: str,
    span: Span,
    *,
    billable: BillableRef | None,
    limit: int | None,
    yes: bool,
) -> None:
    """To the file, or to stdout for ``-``. Raises InvalidInput, NotFound, AimeterError."""
    from aimeter_cli.render.html import file as files
    from aimeter_cli.render.html.page import page
    from aimeter_cli.services.reports.overview import overview

    file = files.checked(path) if path != "-" else None
    if file is not None and file.exists() and not files.is_page(file):
        run.confirm(f"{path} exists and is no usage report. Replace it?", yes=yes)
    found = overview(
        run.app.database, run.app.settings, span,
        now=run.now(), billable=billable, limit=limit or _ROWS,
    )  # fmt: skip
    if file is None:
        run.out.document(page(found))
    else:
        files.write(file, page(found))
        run.console.notice(f"The usage report is in {path}.")
