"""Files of events, however they were saved: one event, arrays, Stripe's lists, lines, folders.

A text that holds several JSON values in a row is read value by value; what cannot be read is
passed on as it is, for the inbox to quarantine.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aimeter_cli.domain.stripe_events import NotAnEvent, StripeEvent, parse_event
from aimeter_cli.errors import InvalidInput

STDIN = "-"
_SUFFIXES = (".json", ".jsonl", ".ndjson")
_SPACE = re.compile(r"\s*")
_NEXT_VALUE = re.compile(r"^[{\[]", re.MULTILINE)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A text that came through one of the doors, and from where: a file's name, ``-``, an URL."""

    source: str
    raw: str

    def parse(self) -> StripeEvent:
        """Raises NotAnEvent, whose message never quotes the text."""
        return parse_event(_parsed(self.raw))


def incoming(raw: bytes | str, source: str) -> Incoming:
    """One event as it was received. Bytes that are no UTF-8 are kept for the inbox to refuse."""
    text = raw if isinstance(raw, str) else raw.decode("utf-8-sig", "surrogateescape")
    return Incoming(source, text)


def find_files(sources: Iterable[str | Path]) -> list[str | Path]:
    """The sources with folders replaced by their files, sorted by name.

    Raises InvalidInput for what is not there, or is neither a file nor a folder.
    """
    found: list[str | Path] = []
    for source in sources:
        if str(source) == STDIN:
            found.append(STDIN)
            continue
        path = Path(source)
        if path.is_dir():
            found += sorted(
                file for file in path.iterdir() if file.suffix in _SUFFIXES and file.is_file()
            )
        elif path.is_file():
            found.append(path)
        elif path.exists():
            raise InvalidInput(f"{path} is no file", hint="Pipe it in and give - as the path.")
        else:
            raise InvalidInput(f"{path}: there is no such file or folder")
    return found


def read_events(file: str | Path) -> Sequence[Incoming]:
    """What a file holds, the oldest event first. Raises InvalidInput if it cannot be read."""
    try:
        raw = _read_stdin() if file == STDIN else Path(file).read_bytes()
    except OSError as error:
        raise InvalidInput(f"cannot read {file}: {error.strerror}") from None
    text = incoming(raw, str(file)).raw
    found = [(_created(value), piece) for piece, value in _pieces(text)]
    found.sort(key=lambda each: each[0])  # stable: what has no time stays in front
    return [Incoming(str(file), piece) for _, piece in found]


def _read_stdin() -> bytes | str:
    binary = getattr(sys.stdin, "buffer", None)  # bytes: the console's encoding does not matter
    content: bytes | str = (binary or sys.stdin).read()
    return content


def _pieces(text: str) -> Iterator[tuple[str, Any]]:
    """(text, parsed value) of each event; the value of what cannot be parsed is None."""
    at = _after_space(text, 0)
    while at < len(text):
        try:
            value, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            following = _NEXT_VALUE.search(text, text.find("\n", at) + 1 or len(text))
            end = following.start() if following else len(text)
            yield text[at:end].rstrip(), None
        else:
            yield from _unwrapped(text[at:end], value)
        at = _after_space(text, end)


def _unwrapped(piece: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value.get("object") == "list":
        # Stripe lists the newest first: reversed, events of one second keep their order.
        listed = value.get("data")
        elements = listed[::-1] if isinstance(listed, list) else None
    else:
        elements = value if isinstance(value, list) else None
    if elements is None:
        yield piece, value
        return
    for element in elements:
        yield json.dumps(element, ensure_ascii=False, separators=(",", ":")), element


def _created(value: Any) -> int:
    body = value.get("detail", value) if isinstance(value, dict) else None
    created = body.get("created") if isinstance(body, dict) else None
    return created if isinstance(created, int) else 0


def _parsed(raw: str) -> object:
    try:
        raw.encode()
    except UnicodeEncodeError:
        raise NotAnEvent("not a Stripe event: it is no UTF-8 text") from None
    try:
        value, end = _DECODER.raw_decode(raw, _after_space(raw, 0))
    except (ValueError, RecursionError):
        raise NotAnEvent("not a Stripe event: it is no JSON") from None
    if _after_space(raw, end) != len(raw):
        raise NotAnEvent("not a Stripe event: there is more after its end")
    return value


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at
