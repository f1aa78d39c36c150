"""Rates from their sources: documents in the shape that these publish, from a server of our own."""

from __future__ import annotations

import io
import socket
import threading
import tomllib
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import pytest

from aimeter_cli.domain.rates import Rate
from aimeter_cli.errors import AimeterError, ConfigurationError, InvalidInput
from aimeter_cli.services.rate_files import read_document
from aimeter_cli.services.rates_sources import web
from aimeter_cli.services.rates_sources.published import Ecb, Ecb90Days, Frankfurter
from aimeter_cli.services.rates_sources.source import SOURCES, Download, rates_from
from aimeter_cli.settings.table import Settings
from tests.conftest import NOW

D = Decimal
DAY = datetime(2026, 11, 13, tzinfo=UTC)


def _ecb_xml(*days: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" '
        'xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">\n'
        "\t<gesmes:subject>Reference rates</gesmes:subject>\n"
        "\t<gesmes:Sender>\n\t\t<gesmes:name>European Central Bank</gesmes:name>\n"
        "\t</gesmes:Sender>\n\t<Cube>\n" + "".join(days) + "\t</Cube>\n</gesmes:Envelope>"
    ).encode()


DAILY = _ecb_xml(
    "\t\t<Cube time='2026-11-13'>\n\t\t\t<Cube currency='USD' rate='1.1225'/>\n"
    "\t\t\t<Cube currency='JPY' rate='176.99'/>\n\t\t\t<Cube currency='XDR' rate='0.8'/>\n"
    "\t\t</Cube>\n"
)
NINETY_DAYS = _ecb_xml(
    '<Cube time="2026-11-13"><Cube currency="USD" rate="1.1225"/>'
    '<Cube currency="JPY" rate="176.99"/></Cube>',
    '<Cube time="2026-11-12"><Cube currency="USD" rate="1.1198"/></Cube>',
)
DAILY_CSV = b"Date, USD, JPY, \n13 November 2026, 1.1225, 176.99, \n"
HISTORY_CSV = b"Date,USD,JPY,\n2026-11-13,1.1225,176.99,\n2026-11-12,1.1198,N/A,\n"
FRANKFURTER = b"""{"amount":1.0,"base":"EUR","date":"2026-11-13",
    "rates":{"JPY":176.99,"USD":1.1225}}"""
SERIES = b"""{"amount":1.0,"base":"EUR","start_date":"2026-11-12","end_date":"2026-11-13",
    "rates":{"2026-11-12":{"USD":1.1198},"2026-11-13":{"JPY":176.99,"USD":1.1225}}}"""
SECOND_VERSION = b"""[{"date":"2026-11-13","base":"EUR","quote":"JPY","rate":176.99},
    {"date":"2026-11-13","base":"EUR","quote":"USD","rate":1.1225}]"""


def _zip(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return file.getvalue()


def _told(rates: list[Rate]) -> list[tuple[str, str, Decimal, datetime | None]]:
    return sorted((rate.base, rate.quote, rate.value, rate.effective_at) for rate in rates)


OF_THE_DAY: list[tuple[str, str, Decimal, datetime | None]] = [
    ("eur", "jpy", D("176.99"), DAY), ("eur", "usd", D("1.1225"), DAY),
]  # fmt: skip
OF_TWO_DAYS = sorted([*OF_THE_DAY, ("eur", "usd", D("1.1198"), DAY - timedelta(days=1))])


@pytest.mark.parametrize("with_ending", [True, False])
@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("eurofxref-daily.xml", DAILY, OF_THE_DAY),
        ("eurofxref-hist-90d.xml", NINETY_DAYS, OF_TWO_DAYS),
        ("eurofxref.csv", DAILY_CSV, OF_THE_DAY),
        ("eurofxref-hist.csv", HISTORY_CSV, OF_TWO_DAYS),
        ("eurofxref.zip", _zip(eurofxref_csv=DAILY_CSV), OF_THE_DAY),
        ("latest.json", FRANKFURTER, OF_THE_DAY),
        ("series.json", SERIES, OF_TWO_DAYS),
        ("rates.json", SECOND_VERSION, OF_THE_DAY),
        ("rate.json", b'{"date":"2026-11-13","base":"EUR","quote":"USD","rate":1.1225}',
         OF_THE_DAY[1:]),
        ("rates.csv", b"date,base,quote,rate\n2026-11-13,EUR,USD,1.1225\n", OF_THE_DAY[1:]),
        ("rates.toml", b'base = "eur"\ndate = 2026-11-13\nrates.usd = 1.1225\n', OF_THE_DAY[1:]),
    ],
)  # fmt: skip
def test_every_shape_is_read_by_its_ending_or_its_beginning(
    name: str, content: bytes, expected: Any, with_ending: bool
) -> None:
    called = name if with_ending else "https://rates.test/latest"
    rates = read_document(content, called, source="test", today=NOW, published=True)
    assert _told(rates) == expected
    assert {rate.source for rate in rates} == {"test"}


_CODE = "expected a three-letter ISO 4217 code such as usd or eur"
ENTITIES = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "1"><!ENTITY b "&a;&a;&a;">]>
<Cube time="2026-11-13"><Cube currency="USD" rate="&b;"/></Cube>"""
OUTSIDE = b"""<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>"""


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xml", ENTITIES, ":1: a document type is not read"),
        ("a.xml", OUTSIDE, ":1: a document type is not read"),
        ("a.xml", b"<Cube>\n<Cube time='2026-11-13'>", ":2: not XML: no element found"),
        ("a.xml", b"<html>busy</html>", ": holds no rate"),
        ("a.xml", b"<Cube currency='USD' rate='1'/>", ":1: a rate without a day"),
        ("a.xml", DAILY, f":11: unknown currency 'xdr': {_CODE}"),
        ("a.xml", DAILY.replace(b"'1.1225'", b"'much'"),
         ":9: rate: expected a positive decimal number, got 'much'"),
        ("a.xml", DAILY.replace(b" rate='1.1225'", b""),
         ":9: expected a decimal number, got None"),
        ("a.csv", b"Date, USD, \n31 November 2026, 1.1, \n",
         ":2: date: '31 November 2026' is not a day"),
        ("a.csv", b"Date, USD, \n, 1.1, \n",
         ":2: date: '-' is not a time: expected ISO 8601, such as 2026-10-31T12:00:00Z"),
        ("a.csv", b"\xff", ": cannot be read: not UTF-8 at byte 0"),
        ("a.csv", b'base,quote,rate\n"' + b"x" * 200_000 + b'"',
         ":2: not CSV: field larger than field limit (131072)"),
        ("a.json", b'{"usd_eur": ' + b"1" * 5000 + b"}", ": holds a number that is too long"),
        ("a.toml", b"usd_eur = " + b"1" * 5000, ": holds a number that is too long"),
        ("a.zip", b"PK\x03\x04", ": not a zip that can be read: BadZipFile"),
        ("a.zip", _zip(readme_txt=b""), ": expected one CSV in the zip, found 0"),
        ("a.zip", _zip(a_csv=b"base,quote,rate\n" + b"usd,eur,1\n" * 50),
         ": a.csv is larger than 300 bytes"),
    ],
)  # fmt: skip
def test_a_bad_document_says_where_the_fault_is(
    name: str, content: bytes, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aimeter_cli.services.rate_files.MOST_BYTES", 300)
    with pytest.raises(InvalidInput) as caught:
        read_document(content, name, source="test", today=NOW)
    assert caught.value.message == f"{name}{message}"


class Server:
    """Answers each path with its documents in turn, the last one for ever."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[str] = []
        self.answers: dict[str, list[tuple[int, bytes]]] = {}

    def answer(self, path: str, *answers: tuple[int, bytes]) -> str:
        self.answers[path] = list(answers)
        return self.url + path


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            waiting = made.answers[self.path.partition("?")[0]]
            status, body = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            if status == 0:
                self.connection.close()
                return
            self.send_response(status)
            if status == 302:
                self.send_header("Location", body.decode())
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Nothing."""

    monkeypatch.setattr(web, "PAUSES", (0, 0))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Server(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


_PASSWORD = "an address with a password is not taken"
_OTHER = "127.0.0.1 sends to another protocol"


def _from(where: str, currency: str = "usd") -> list[Rate]:
    return rates_from(where, Settings(currency=currency), source=None, today=NOW)


def test_the_named_sources_read_what_they_publish(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ecb, "url", server.answer("/daily.xml", (200, DAILY)))
    monkeypatch.setattr(Ecb90Days, "url", server.answer("/90d.xml", (200, NINETY_DAYS)))
    monkeypatch.setattr(Frankfurter, "url", server.answer("/v1/latest", (200, FRANKFURTER)))
    assert _told(_from("ecb")) == OF_THE_DAY  # without the one that nobody is billed in
    assert _told(_from("ecb-90d")) == OF_TWO_DAYS
    assert _told(_from("frankfurter", "chf")) == OF_THE_DAY
    assert server.asked == ["/daily.xml", "/90d.xml", "/v1/latest?base=CHF"]
    assert {rate.source for rate in _from("ecb") + _from("ecb-90d")} == {"ecb"}


def test_an_address_is_read_and_its_host_is_the_source(server: Server) -> None:
    address = server.answer("/latest", (200, FRANKFURTER))
    rates = _from(f"{address}?key=hidden")
    assert (_told(rates), {rate.source for rate in rates}) == (OF_THE_DAY, {"127.0.0.1"})


@pytest.mark.parametrize("first", [(0, b""), (500, b"busy"), (503, b""), (429, b"")])
def test_what_may_be_otherwise_in_a_second_is_asked_again(
    first: tuple[int, bytes], server: Server
) -> None:
    assert _told(_from(server.answer("/a", first, first, (200, DAILY_CSV)))) == OF_THE_DAY
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("answer", "message", "asked"),
    [
        ((404, b"none"), "URL: answered 404", 1),
        ((302, b"/a"), "URL: redirected more than 3 times", 4),
        ((302, b"https://u:p@rates.test/"), f"https://rates.test/: {_PASSWORD}", 1),
        ((302, b"file:///etc/passwd"), "file:///etc/passwd: expected an https address", 1),
        ((302, b"https://rates.test/a"), f"https://rates.test/a: {_OTHER}", 1),
        ((500, b""), "URL cannot be read: answered 500 (tried 3 times)", 3),
        ((0, b""), "URL cannot be read: no connection (tried 3 times)", 3),
        ((200, b"<html>busy</html>"), "URL: holds no rate", 1),
        ((200, b"x" * 301), "URL: larger than 300 bytes", 1),
    ],
)  # fmt: skip
def test_without_a_document_the_error_names_the_address_but_not_its_key(
    answer: tuple[int, bytes], message: str, asked: int, server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(web, "MOST_BYTES", 300)
    server.answer("/a", answer)
    with pytest.raises(AimeterError) as caught:
        _from(f"{server.url}/a?key=hidden")
    assert caught.value.message == message.replace("URL", "http://127.0.0.1/a")
    assert len(server.asked) == asked


def test_without_a_network_the_rates_stay_and_the_error_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    monkeypatch.setattr(web, "PAUSES", ())
    monkeypatch.setattr(Ecb, "url", f"http://127.0.0.1:{port}/daily.xml")
    with pytest.raises(AimeterError, match=r"daily\.xml cannot be read: no connection") as caught:
        _from("ecb")
    assert caught.value.exit_code == 1
    assert "Stored rates are used until rate_max_age" in (caught.value.hint or "")


def test_a_server_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "PAUSES", ())
    monkeypatch.setattr(web, "_TIMEOUT", (0.05, 0.05))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(AimeterError, match="no answer in"):
            _from(f"http://127.0.0.1:{port}/a")


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("http://rates.test/a?key=hidden", "http://rates.test/a: expected an https address"),
        ("ftp://127.0.0.1/a", "ftp://127.0.0.1/a: expected an https address"),
        ("https:///a", "https:///a: expected an https address"),
        ("https://u:p@rates.test/", f"https://rates.test/: {_PASSWORD}"),
        ("https://rates.test:x/", "--from: not a web address"),
        ("https://[::1/", "--from: not a web address"),
    ],
)
def test_only_https_addresses_without_a_password_are_asked(address: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        _from(address)
    assert caught.value.message == message


class OwnSource:
    """A source of an application: made with the settings, called by its path or entry point."""

    def __init__(self, settings: Settings) -> None:
        self._base = settings.currency

    def rates(self, download: Download, today: datetime) -> list[Rate]:
        return [Rate(self._base, "jpy", D(150), today, "own")]


def test_a_source_of_ones_own_is_called_by_its_path() -> None:
    assert _told(_from(f"{__name__}:OwnSource")) == [("usd", "jpy", D(150), NOW)]
    with pytest.raises(ConfigurationError, match="has no rates: it is no rate source"):
        _from(f"{__name__}:Server")


def test_an_entry_point_is_a_source_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def entry_points(**wanted: Any) -> EntryPoints:
        point = EntryPoint("own", f"{__name__}:OwnSource", "aimeter.rate_sources")
        return EntryPoints([point]).select(**wanted)

    monkeypatch.setattr("aimeter_cli.plugins.entry_points", entry_points)
    assert _told(_from("own")) == [("usd", "jpy", D(150), NOW)]


def test_the_package_declares_the_sources_that_it_has() -> None:
    declared = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    points = declared["project"]["entry-points"]["aimeter.rate_sources"]
    assert points == SOURCES.built_in


@pytest.mark.parametrize("where", ["ebc", "", "x" * 5000, "a\0b"])
def test_what_is_no_source_and_no_file_is_told_with_the_known_sources(where: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        _from(where)
    assert caught.value.message == f"--from: there is no file {where}"
    assert caught.value.hint == "Known sources: ecb, ecb-90d, frankfurter."


def test_a_file_named_as_a_source_is_read_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "ecb").write_bytes(DAILY_CSV)
    assert _told(_from("./ecb")) == OF_THE_DAY
