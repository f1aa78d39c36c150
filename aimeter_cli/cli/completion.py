"""What the shell completes, beside commands and options: names from the database.

A completion never asks, writes, migrates or fails: without a database that can be read as it is,
there is nothing to offer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, MutableMapping, Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from aimeter_cli.db.engine import Database


_SAFE = re.compile(r"[\w.:@+/=,-]+", re.ASCII)
"""Names that a shell takes as they are; any other could run something once Enter is pressed."""

_kept = ""
"""What bash keeps of the word under the cursor: everything up to its last colon."""


def rejoin_bash_words(environ: MutableMapping[str, str]) -> None:
    """Undo that bash breaks ``user:42`` into three words, and replaces only the last of them."""
    global _kept  # noqa: PLW0603  # a completion is a process of its own
    at = int(environ["COMP_CWORD"])
    broken = environ["COMP_WORDS"].split("\n")[: at + 1]
    words: list[str] = []
    for word in broken:
        if words and (word == ":" or words[-1].endswith(":")):
            words[-1] += word
        else:
            words.append(word)
    before, colon, after = words[-1].rpartition(":")
    _kept = before + colon
    environ["COMP_WORDS"] = "\n".join([*words[:-1], after])
    environ["COMP_CWORD"] = str(len(words) - 1)


def billables(ctx: typer.Context, incomplete: str) -> Sequence[str]:
    """``TYPE:ID`` of those that begin so; in bash what follows the colon, once that is typed."""
    from aimeter_cli.services.names import billables_from

    found = _read(ctx, lambda database: billables_from(database, _kept + incomplete))
    return [name.removeprefix(_kept) for name in found]


def plans(ctx: typer.Context, incomplete: str) -> Sequence[str]:
    """Slugs of plans, archived ones too."""
    from aimeter_cli.services.names import plans_from

    return _read(ctx, lambda database: plans_from(database, incomplete))


def currencies(incomplete: str) -> Sequence[str]:
    """Codes that Stripe bills."""
    from aimeter_cli.domain.currency import MINOR_UNITS

    return [code for code in sorted(MINOR_UNITS) if code.startswith(incomplete.lower())]


def overage_statuses(incomplete: str) -> Sequence[str]:
    from aimeter_cli.models.overages import STATUSES

    return [status for status in STATUSES if status.startswith(incomplete)]


def _read(ctx: typer.Context, find: Callable[[Database], Sequence[str]]) -> Sequence[str]:
    from sqlalchemy.exc import SQLAlchemyError

    from aimeter_cli.app import App
    from aimeter_cli.db.engine import is_missing_file
    from aimeter_cli.errors import AimeterError

    options = ctx.find_root().params
    url = options.get("database_url")
    app = App(config=options.get("config"), overrides={"database_url": url} if url else None)
    try:
        if is_missing_file(app.settings.database_url):
            return ()
        found = find(app.unchecked_database)
        return [name for name in found if _SAFE.fullmatch(name)]
    except (AimeterError, SQLAlchemyError):
        return ()
    finally:
        app.close()
