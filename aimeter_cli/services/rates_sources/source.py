"""Where ``rates update --from`` looks: a source by name, an address, or a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Protocol, cast

from aimeter_cli.domain.rates import Rate
from aimeter_cli.errors import InvalidInput
from aimeter_cli.plugins import Plugins
from aimeter_cli.services.rate_files import read_document, read_rates
from aimeter_cli.services.rates_sources.web import checked, download
from aimeter_cli.settings.table import Settings

Download = Callable[[str], bytes]
"""An address → the document there."""

_PUBLISHED = "aimeter_cli.services.rates_sources.published"
SOURCES = Plugins(
    kind="rate source",
    group="aimeter.rate_sources",
    built_in={
        "ecb": f"{_PUBLISHED}:Ecb",
        "ecb-90d": f"{_PUBLISHED}:Ecb90Days",
        "frankfurter": f"{_PUBLISHED}:Frankfurter",
    },
    members=("rates",),
)


class RateSource(Protocol):
    """A class that is made with the settings; an entry point of ``aimeter.rate_sources``."""

    def rates(self, download: Download, today: datetime) -> list[Rate]:
        """What is published now, dated, each with its source.

        ``download`` has time-outs, tries and limits. Raises InvalidInput that names what is wrong
        with the document. ``today`` is business time, for documents without a date.
        """


def rates_from(
    where: str, settings: Settings, *, source: str | None, today: datetime
) -> list[Rate]:
    """Every rate that ``where`` has: a source's name or dotted path, an https address, or a file.

    ``source``: what is kept beside the rates of an address or a file; by default its host or name.
    Raises InvalidInput, naming what was read; AimeterError if the web does not answer.
    """
    if where in SOURCES.names() or _is_class(where):
        found = cast("type[RateSource]", SOURCES.find(where))
        made: RateSource = found(settings)  # type: ignore[call-arg]
        return made.rates(download, today)
    if "://" in where:
        host = checked(where).hostname or ""
        return read_document(download(where), where, source=source or host, today=today)
    if not os.path.exists(where):
        known = ", ".join(SOURCES.names())
        raise InvalidInput(f"--from: there is no file {where}", hint=f"Known sources: {known}.")
    return read_rates(Path(where), source=source, today=today)


def _is_class(where: str) -> bool:
    module, colon, name = where.partition(":")
    return bool(colon) and name.isidentifier() and module.replace(".", "").isidentifier()
