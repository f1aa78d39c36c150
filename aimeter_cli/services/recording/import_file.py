"""Import usages from JSONL or CSV: good lines are kept, bad ones reported with number and reason.

A line without a key gets one from its normalised content and its occurrence among its equals in
the file: the same file again, renamed too, adds nothing.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import BinaryIO, Literal, TextIO

from aimeter_cli.domain.usage import (
    USAGE_FIELDS,
    UsageLine,
    check_not_future,
    content_key,
    usage_line,
)
from aimeter_cli.errors import AimeterError, InvalidInput
from aimeter_cli.services.recording.occurrences import Occurrences
from aimeter_cli.services.recording.record import Recorder
from aimeter_cli.settings.files import open_regular

BATCH = 5000
MAX_LINE = 1_000_000
"""Characters in one line; a longer one is no usage."""

_KEPT_ERRORS = 1000


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that was not taken. ``line`` counts from 1."""

    line: int
    reason: str


@dataclass(slots=True)
class ImportReport:
    """``charged``: nanos by plan currency are not kept here; see the overages. ``interrupted``: by
    Ctrl-C; the batch under way was not recorded."""

    file: str
    lines: int = 0
    recorded: int = 0
    repeated: int = 0
    bad: int = 0
    unpriced: int = 0
    needs_rate: int = 0
    charged: int = 0
    stopped: bool = False
    interrupted: bool = False
    dry_run: bool = False
    errors: list[BadLine] = field(default_factory=list)
    billables: set[str] = field(default_factory=set)

    @property
    def hint(self) -> str | None:
        """What to look at, if lines were bad."""
        if not self.errors:
            return None
        first = f"First: line {self.errors[0].line}: {self.errors[0].reason}"
        is_no_json = self.errors[0].reason.startswith("not JSON") and self.bad == self.lines
        return first + (". If it is CSV: --input-format csv" if is_no_json else "")

    def refuse(self, line: int, reason: str) -> None:
        self.bad += 1
        if len(self.errors) < _KEPT_ERRORS:
            self.errors.append(BadLine(line, reason))


def import_usages(
    recorder: Recorder,
    source: TextIO,
    *,
    name: str,
    form: Literal["jsonl", "csv"],
    now: datetime,
    on_error: Literal["stop", "skip"] = "skip",
    dry_run: bool = False,
    advance: Callable[[int], None] = lambda _lines: None,
) -> ImportReport:
    """Read the whole source in batches of one transaction each. ``advance`` is told the lines read.

    With ``stop``, reading ends at the first bad line; the good ones before it are kept. Ctrl-C ends
    it as well: the report then says how far it came. Raises InvalidInput for a source that is no
    JSONL or CSV at all.
    """
    report = ImportReport(name, dry_run=dry_run)
    parsed = _jsonl(source) if form == "jsonl" else _csv(source, name)
    try:
        _import(recorder, parsed, report, now, on_error, advance)
    except KeyboardInterrupt:
        report.interrupted = True
    return report


def _import(
    recorder: Recorder,
    parsed: Iterator[tuple[int, Mapping[str, object] | str]],
    report: ImportReport,
    now: datetime,
    on_error: str,
    advance: Callable[[int], None],
) -> None:
    with Occurrences() as occurrences:
        batch: list[tuple[int, UsageLine]] = []
        for number, fields in parsed:
            report.lines += 1
            try:
                if isinstance(fields, str):
                    raise InvalidInput(fields)
                line = usage_line(fields)
                check_not_future(line.occurred_at, now)
            except AimeterError as error:
                report.refuse(number, error.message)
                if on_error == "stop":
                    report.stopped = True
                    break
                continue
            if line.key is None:
                key = content_key(line.fingerprint, occurrences.count(line.fingerprint))
                line = line._replace(key=key)
            batch.append((number, line))
            if len(batch) >= BATCH:
                if not _flush(recorder, batch, report, now, on_error):
                    return
                advance(len(batch))
                batch = []
        if batch:
            _flush(recorder, batch, report, now, on_error)
            advance(len(batch))


def _flush(
    recorder: Recorder,
    batch: list[tuple[int, UsageLine]],
    report: ImportReport,
    now: datetime,
    on_error: str,
) -> bool:
    """Record a batch. False: stop, a key was used for another usage."""
    results = recorder.record([line for _, line in batch], now=now, dry_run=report.dry_run)
    for (number, line), recorded in zip(batch, results, strict=True):
        if recorded.is_new:
            report.recorded += 1
            if recorded.charge:
                report.charged += 1
                report.billables.add(line.billable)
            if recorded.state != "priced":
                report.unpriced += recorded.state == "unpriced"
                report.needs_rate += recorded.state == "needs_rate"
        elif recorded.refusal is not None:
            report.refuse(number, recorded.refusal)
        elif recorded.conflict:
            told = f"idempotency_key: {recorded.key!r} was used for another usage"
            report.refuse(number, told)
        else:
            report.repeated += 1
    if on_error == "stop" and any(each.conflict or each.refusal for each in results):
        report.stopped = True
    return not report.stopped


def _jsonl(source: TextIO) -> Iterator[tuple[int, Mapping[str, object] | str]]:
    """(line number, fields), or what is wrong with the line."""
    decode = json.JSONDecoder(parse_float=Decimal).raw_decode
    for number, line in enumerate(source, 1):
        if len(line) > MAX_LINE:
            yield number, f"longer than {MAX_LINE} characters"
            continue
        text = line.strip()
        if not text:
            continue
        try:
            fields, end = decode(text)
        except (ValueError, RecursionError) as error:
            yield number, f"not JSON: {error}"
            continue
        if end < len(text):
            yield number, "not JSON: more than one value on the line"
        else:
            yield number, fields if isinstance(fields, dict) else "expected a JSON object"


def _csv(source: TextIO, name: str) -> Iterator[tuple[int, Mapping[str, object] | str]]:
    reader = csv.reader(source, strict=True)
    try:
        header = [column.strip() for column in next(reader, [])]
    except csv.Error as error:
        raise InvalidInput(f"{name}:1: not CSV: {error}") from None
    unknown = [column for column in header if column not in USAGE_FIELDS]
    if unknown or "billable" not in header or len(set(header)) < len(header):
        told = f"unknown column {unknown[0]!r}" if unknown else "no column billable"
        if len(set(header)) < len(header):
            told = "a column stands twice"
        raise InvalidInput(f"{name}:1: {told}: expected a header of {', '.join(USAGE_FIELDS)}")
    while True:
        try:
            values = next(reader, None)
        except csv.Error as error:
            yield reader.line_num, f"not CSV: {error}"
            continue
        if values is None:
            return
        if not values:
            continue
        if len(values) != len(header):
            yield reader.line_num, f"expected {len(header)} columns, got {len(values)}"
            continue
        yield reader.line_num, dict(zip(header, values, strict=True))


@contextmanager
def open_source(path: str, stdin: Callable[[], BinaryIO]) -> Iterator[TextIO]:
    """A regular file, or ``-`` for standard input, as UTF-8 with broken bytes made visible.

    Raises InvalidInput for devices, pipes and folders, and for what cannot be read.
    """
    import io

    if path == "-":
        yield io.TextIOWrapper(stdin(), encoding="utf-8-sig", errors="backslashreplace", newline="")
        return
    try:
        with (
            open_regular(path, hint="Pipe it in and give - as the file.") as binary,
            io.TextIOWrapper(binary, "utf-8-sig", errors="backslashreplace", newline="") as file,
        ):
            yield file
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror}") from None


def lines_in(path: str) -> int | None:
    """How many lines a file has, roughly; None for standard input, which cannot be read twice."""
    if path == "-":
        return None
    with open_regular(path) as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def format_of(path: str, given: str | None) -> Literal["jsonl", "csv"]:
    """By option, else by the file's ending, else JSONL. Raises InvalidInput."""
    if given is None:
        return "csv" if path.lower().endswith(".csv") else "jsonl"
    if given not in ("jsonl", "csv"):
        raise InvalidInput(f"--input-format: expected jsonl or csv, got {given!r}")
    return "csv" if given == "csv" else "jsonl"
