"""Secrets as they may be shown: masked where they are a value, hidden inside a text."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable

_VARIABLES = ("STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRET", "PGPASSWORD")
_SHAPES = re.compile(r"\b(?:sk|rk)_(?:live|test)_\w+|\bwhsec_[\w+/=]+")
_URL_PASSWORD = re.compile(r"(\w://[^\s:/@]{0,256}+:)[^\s@]{1,256}+(@)")  # linear on any text
_QUERY_PASSWORD = re.compile(r"([?&]\w{0,64}password=)[^\s&#'\"]+", re.IGNORECASE)
_PREFIX = re.compile(r"[a-z]{2,6}_(?:(?:test|live)_)?")
_SHOWN_FROM = 20
HIDDEN = "***"


def masked(secret: str) -> str:
    """``sk_test_51ABC…wxyz`` → ``sk_test_…wxyz``; a short one is hidden whole."""
    if not secret:
        return ""
    if len(secret) < _SHOWN_FROM:
        return HIDDEN
    prefix = _PREFIX.match(secret)
    return f"{prefix[0] if prefix else ''}…{secret[-4:]}"


def without_password(text: str) -> str:
    """``text`` with the passwords of the URLs in it hidden."""
    return _QUERY_PASSWORD.sub(rf"\1{HIDDEN}", _URL_PASSWORD.sub(rf"\1{HIDDEN}\2", text))


def redacted(text: str, known: Iterable[str] = ()) -> str:
    """``text`` without keys of Stripe, passwords of URLs, and the ``known`` secrets."""
    values = [*known, *(os.environ.get(name, "") for name in _VARIABLES)]
    parts = {part for value in values for part in (value, *value.split(",")) if len(part) >= 6}
    written = {form for part in parts for form in (part, json.dumps(part)[1:-1], repr(part)[1:-1])}
    for form in sorted(written, key=len, reverse=True):  # one may be part of another
        text = text.replace(form, HIDDEN)
    return without_password(_SHAPES.sub(HIDDEN, text))
