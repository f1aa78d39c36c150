"""What things are called: billables ``TYPE:ID`` and the ids of Stripe."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aimeter_cli.errors import InvalidInput

_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_.\\-]{0,63}")
_ID = re.compile(r"[^\s\x00-\x1f\x7f-\x9f:][^\s\x00-\x1f\x7f-\x9f]{0,190}")
_STRIPE_ID = re.compile(r"[A-Za-z0-9_]{1,250}")
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True, order=True)
class BillableRef:
    """Who is billed: ``user:42``, ``team:7f3c``."""

    type: str
    id: str

    @classmethod
    def parse(cls, text: str) -> BillableRef:
        """Raises InvalidInput unless the text is ``TYPE:ID`` without spaces."""
        kind, colon, ident = text.partition(":")
        if not colon or not _TYPE.fullmatch(kind) or not _ID.fullmatch(ident):
            raise InvalidInput(f"{text!r} is not a billable: expected TYPE:ID, such as user:42")
        return cls(kind, ident)

    def __str__(self) -> str:
        return f"{self.type}:{self.id}"


def stripe_id(text: str, prefix: str, option: str) -> str:
    """An id of Stripe with the given prefix (``cus``, ``sub``, ``ii``, ``price``).

    Raises InvalidInput, naming the option, for any other shape.
    """
    value = text.strip()
    if not value.startswith(f"{prefix}_") or not _STRIPE_ID.fullmatch(value[len(prefix) + 1 :]):
        raise InvalidInput(
            f"{option}: {text!r} is not a Stripe id of the expected shape {prefix}_…",
            hint="Copy the id from the Stripe dashboard; it starts with "
            f"{prefix}_ and has letters and digits only.",
        )
    return value


def slugify(name: str) -> str:
    """``"Pro Plan (2026)"`` → ``"pro-plan-2026"``. Raises InvalidInput if nothing is left."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:64].strip("-")
    if not slug:
        raise InvalidInput(
            f"NAME: {name!r} has no letters or digits from which to make a slug",
            hint="Give one with --slug.",
        )
    return slug


def checked_slug(text: str, option: str = "--slug") -> str:
    """Lower-case letters, digits, ``-`` and ``_``. Raises InvalidInput otherwise."""
    if not _SLUG.fullmatch(text):
        raise InvalidInput(
            f"{option}: {text!r} gives no slug: expected lower-case letters, digits, - and _"
        )
    return text
