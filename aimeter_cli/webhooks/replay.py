"""``webhooks replay``: files of events through the inbox, a chunk at a time.

A file is read twice: once to find its events and their times, then in the order of time. Events go
to a temporary file where they are many, unless they stand in that order, one a line. Memory holds a
chunk and three numbers of each event.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from aimeter_cli.domain.stripe_events import StripeEvent
from aimeter_cli.errors import InvalidInput
from aimeter_cli.settings.files import open_regular
from aimeter_cli.webhooks import scanning
from aimeter_cli.webhooks.intake import CHUNK, Intake, Taken
from aimeter_cli.webhooks.reading import STDIN, Incoming, find_files
from aimeter_cli.webhooks.spool import Spool
from aimeter_cli.webhooks.storing import Arrival, Rubbish, arrive
from aimeter_cli.webhooks.unwrapping import events_in, is_event, is_like_event

_LATEST = 2**62
_LONGEST = 1024 * 1024
"""Characters of a line that may be one event: longer ones are read bit by bit."""
_HEAD = re.compile(
    r'\{"id": ?"evt_\w+", ?"object": ?"event",'
    r'(?: ?"(?:account|api_version|context)": ?(?:"[^"\\]*"|null),)* ?"created": ?(\d{1,12}),'
)
"""An event as Stripe and whoever passes it on begin it."""

Found = Callable[[int], object]
"""Is told how many events have been found, file after file."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events of a file count. ``types`` empty: of any type."""

    types: Collection[str] = ()
    since: datetime | None = None

    def __contains__(self, event: StripeEvent) -> bool:
        is_wanted = not self.types or event.type in self.types
        return is_wanted and (self.since is None or event.created >= self.since)


def replay(
    intake: Intake,
    sources: Iterable[str | Path],
    *,
    wanted: Wanted | None = None,
    dry_run: bool = False,
    force: bool = False,
    found: Found = lambda _: None,
    left_out: Found = lambda _: None,
) -> Iterator[Taken]:
    """Replay files, folders and ``-``; yields what became of their events, file by file.

    Within a file the oldest event comes first. With ``dry_run`` nothing is stored. What is no event
    is taken in whatever is ``wanted``; but of a log with events in it, the lines that hold none are
    ``left_out``. Raises InvalidInput, before anything is done, for a source that does not exist or
    is no file.
    """
    chunks = _chunks(find_files(sources), wanted or Wanted(), found, left_out)
    if dry_run:
        return iter([Taken(intake.rehearse(chunks, force=force))])
    return (intake.take(chunk, force=force) for chunk in chunks)


def _chunks(
    files: Iterable[str | Path], wanted: Wanted, found: Found, left_out: Found
) -> Iterator[Sequence[Arrival | Rubbish]]:
    chunk: list[Arrival | Rubbish] = []
    for file in files:
        for arrived in _arrivals(file, found, left_out):
            if isinstance(arrived, Arrival) and arrived.event not in wanted:
                continue
            chunk.append(arrived)
            if len(chunk) == CHUNK:
                yield chunk
                chunk = []
    if chunk:
        yield chunk


def _arrivals(file: str | Path, found: Found, left_out: Found) -> Iterator[Arrival | Rubbish]:
    """What a file holds, the oldest event first. Raises InvalidInput if it cannot be read."""
    source = str(file)
    try:
        lines = _lines_in_order(file)
        with _opened(file) as text:
            if lines:
                found(lines)
                for line in text:
                    arrived = arrive(Incoming(source, line))
                    if isinstance(arrived, Rubbish):  # it is not what it looked like
                        yield from _sorted(io.StringIO(line), source, _ignore, left_out)
                    else:
                        yield arrived
            else:
                yield from _sorted(text, source, found, left_out)
    except OSError as error:
        raise InvalidInput(f"cannot read {file}: {error.strerror}") from None


def _lines_in_order(file: str | Path) -> int:
    """How many lines a file has, if each looks like one event and none is older than the one
    before; else 0."""
    number, last = 0, 0
    if file == STDIN:  # it cannot be read twice
        return 0
    with _opened(file) as text:
        while line := text.readline(_LONGEST):
            head = _HEAD.match(line)
            if head is None or int(head[1]) < last or line.count('"event"') != 1:
                return 0
            number, last = number + 1, int(head[1])
    return number


def _sorted(
    text: scanning.Reader, source: str, found: Found, left_out: Found
) -> Iterator[Arrival | Rubbish]:
    with Spool() as spool, Spool() as others:
        is_log = has_events = False
        for piece, value in scanning.values(text):
            is_log = is_log or (value is None and not piece.startswith("{"))
            for event, parsed in events_in(piece, value):
                has_events = has_events or is_event(parsed)
                is_meant = is_event(parsed) or (parsed is None and is_like_event(event))
                (spool if is_meant else others).add(event, _created(parsed))
        if is_log and has_events:
            left_out(len(others))
        else:
            for event in others.in_order():
                spool.add(event, 0)
        found(len(spool))
        for event in spool.in_order():
            yield arrive(Incoming(source, event))


def _ignore(_: int) -> None:
    """What is found in a line that has been counted."""


def _opened(file: str | Path) -> io.TextIOBase:
    if file != STDIN:
        return io.TextIOWrapper(
            open_regular(file), encoding="utf-8", errors="surrogateescape", newline=""
        )
    binary = getattr(sys.stdin, "buffer", None)  # bytes: the console's encoding does not matter
    if binary is None:
        return io.StringIO(sys.stdin.read())
    return io.TextIOWrapper(
        io.BufferedReader(_Unclosed(binary)), "utf-8", errors="surrogateescape", newline=""
    )


class _Unclosed(io.RawIOBase):
    """Stdin, which is not ours to close."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._stream.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


def _created(value: Any) -> int:
    body = value.get("detail", value) if isinstance(value, dict) else None
    created = body.get("created") if isinstance(body, dict) else None
    return created if isinstance(created, int) and 0 <= created <= _LATEST else 0
