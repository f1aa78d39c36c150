"""An event's text as it came, and the files in which such texts are found."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from aimeter_cli.domain.stripe_events import NotAnEvent, StripeEvent, parse_event
from aimeter_cli.errors import InvalidInput

STDIN = "-"
_SUFFIXES = (".json", ".jsonl", ".ndjson", ".log")
_SPACE = re.compile(r"\s*")


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A text that came through one of the doors, and from where: a file's name, ``-``, an URL."""

    source: str
    raw: str

    @property
    def text(self) -> str:
        """What is kept of an event."""
        return self.raw.strip()

    @property
    def digest(self) -> str:
        """SHA-256 of ``text``, by which the same delivery is known again at once."""
        return sha256(self.text.encode()).hexdigest()

    def parse(self) -> StripeEvent:
        """Raises NotAnEvent, whose message never quotes the text."""
        return parse_event(_parsed(self.raw))


def incoming(raw: bytes | str, source: str) -> Incoming:
    """One event as it was received. Bytes that are no UTF-8 are kept for the inbox to refuse."""
    text = raw if isinstance(raw, str) else raw.decode("utf-8-sig", "surrogateescape")
    return Incoming(source, text)


def find_files(sources: Iterable[str | Path]) -> list[str | Path]:
    """The sources with folders replaced by their files, those of folders in them too, by name.

    Of a folder only .json, .jsonl, .ndjson and .log count, and nothing hidden. Raises InvalidInput
    for what is not there, or is neither a file nor a folder: a pipe would be read only once, a
    device has no end.
    """
    found: list[str | Path] = []
    for source in sources:
        if str(source) == STDIN:
            found.append(STDIN)
            continue
        path = Path(source)
        if path.is_dir():
            found += _files_in(path)
        elif path.is_file():
            found.append(path)
        elif path.exists():
            raise InvalidInput(f"{path} is no file", hint="Pipe it in and give - as the path.")
        else:
            raise InvalidInput(f"{path}: there is no such file or folder")
    return found


def _files_in(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if file.suffix in _SUFFIXES and not hidden and file.is_file():
            yield file


def _parsed(raw: str) -> object:
    try:
        raw.encode()
    except UnicodeEncodeError:
        raise NotAnEvent("not a Stripe event: it is no UTF-8 text") from None
    try:
        value, end = DECODER.raw_decode(raw, after_space(raw, 0))
    except (ValueError, RecursionError):
        raise NotAnEvent("not a Stripe event: it is no JSON") from None
    if after_space(raw, end) != len(raw):
        raise NotAnEvent("not a Stripe event: there is more after its end")
    return value


def after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at
