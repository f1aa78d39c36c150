"""The sources that have a name of their own."""

from __future__ import annotations

from datetime import datetime

from aimeter_cli.domain.rates import Rate
from aimeter_cli.services.rate_files import read_document
from aimeter_cli.services.rates_sources.source import Download
from aimeter_cli.settings.table import Settings


class Ecb:
    """The European Central Bank's reference rates of the last working day, 1 euro in 29 others."""

    name = "ecb"
    url = "https://www.ecb.europa.eu/stats/eurofxref/eurofxref-daily.xml"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def rates(self, download: Download, today: datetime) -> list[Rate]:
        content = download(self.address)
        return read_document(content, self.address, source=self.name, today=today, published=True)

    @property
    def address(self) -> str:
        return self.url


class Ecb90Days(Ecb):
    """Those of the last 90 days, to fill what was missed."""

    url = "https://www.ecb.europa.eu/stats/eurofxref/eurofxref-hist-90d.xml"


class Frankfurter(Ecb):
    """Frankfurter's latest rates of the configured base currency, which are the ECB's."""

    name = "frankfurter"
    url = "https://api.frankfurter.dev/v1/latest"

    @property
    def address(self) -> str:
        return f"{self.url}?base={self._settings.currency.upper()}"
