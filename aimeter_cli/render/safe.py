"""Text from outside, made harmless for a terminal: nothing in it moves the cursor or hides."""

from __future__ import annotations

import re

_DANGEROUS = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0 with ESC, DEL, C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidi controls reorder what is read
    "\u2028\u2029"  # line and paragraph separators
    "\ud800-\udfff]"  # lone surrogates cannot be encoded
)
_LONG_WORD = re.compile(r"\S{500,}")
_KEPT = 100
_MOST = 20_000
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _visible(match: re.Match[str]) -> str:
    character = match[0]
    if character in _SHORT:
        return _SHORT[character]
    return f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}"


def harmless(text: str) -> str:
    """Control and bidi characters as visible escapes: ESC → ``\\x1b``."""
    return _DANGEROUS.sub(_visible, text)


def harmless_lines(text: str) -> str:
    """The same, keeping line breaks, for messages of our own that have several lines."""
    return "\n".join(harmless(line) for line in text.split("\n"))


def shortened(text: str) -> str:
    """A message without what fills the screen: of a word of 500 characters and more, the first."""
    text = _LONG_WORD.sub(lambda match: f"{match[0][:_KEPT]}… ({len(match[0]):,} characters)", text)
    return text if len(text) <= _MOST else f"{text[:_MOST]}… ({len(text):,} characters)"


def harmless_json(document: str) -> str:
    """The same for a JSON document, whose strings alone can hold such characters: ``\\u001b``."""
    return _DANGEROUS.sub(
        lambda match: match[0] if match[0] == "\n" else f"\\u{ord(match[0]):04x}", document
    )
