"""``webhooks replay``: files of events through the inbox, a chunk at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from aimeter_cli.db.engine import Database
from aimeter_cli.settings.table import Settings
from aimeter_cli.webhooks.inbox import rehearse, take_in
from aimeter_cli.webhooks.reading import find_files, read_events
from aimeter_cli.webhooks.results import EventResult
from aimeter_cli.webhooks.storing import Arrival, Rubbish, arrive

_CHUNK = 200


def replay(
    database: Database,
    settings: Settings,
    sources: Iterable[str | Path],
    *,
    now: datetime,
    dry_run: bool = False,
    force: bool = False,
    types: Collection[str] = (),
) -> Iterator[EventResult]:
    """Replay files, folders and ``-``; yields what became of each event, file by file.

    Within a file the oldest event comes first. ``types`` leaves out events of other types. With
    ``dry_run`` nothing is stored. Raises InvalidInput, before anything is done, for a source that
    does not exist or is no file.
    """
    chunks = _chunks(find_files(sources), types)
    if dry_run:
        return iter(rehearse(database, settings, chunks, now=now, force=force))
    return _replay(database, settings, chunks, now=now, force=force)


def _replay(
    database: Database,
    settings: Settings,
    chunks: Iterable[Sequence[Arrival | Rubbish]],
    *,
    now: datetime,
    force: bool,
) -> Iterator[EventResult]:
    for chunk in chunks:
        yield from take_in(database, settings, chunk, now=now, force=force)


def _chunks(
    files: Iterable[str | Path], types: Collection[str]
) -> Iterator[Sequence[Arrival | Rubbish]]:
    chunk: list[Arrival | Rubbish] = []
    for file in files:
        for piece in read_events(file):
            arrived = arrive(piece)
            if types and isinstance(arrived, Arrival) and arrived.event.type not in types:
                continue
            chunk.append(arrived)
            if len(chunk) == _CHUNK:
                yield chunk
                chunk = []
    if chunk:
        yield chunk
