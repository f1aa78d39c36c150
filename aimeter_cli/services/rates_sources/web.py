"""Documents from the web: with time-outs, a few tries, a size limit, and no plain http."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urljoin, urlsplit

from aimeter_cli.errors import AimeterError, InvalidInput

if TYPE_CHECKING:
    import requests

MOST_BYTES = 20_000_000
"""Of a document, also of one that is unpacked: all days of the ECB are 8 MB."""

PAUSES: Sequence[float] = (1, 4)
"""Seconds before the second try, and before the third."""

_TIMEOUT = (5, 20)
"""Seconds to connect, and between two answers."""

_REDIRECTS = 3
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_HINT = "Stored rates are used until rate_max_age; or take a file: aimeter rates update --from FILE"


class _TryAgain(Exception):
    """What may be otherwise in a second."""


def download(url: str) -> bytes:
    """The document at ``url``.

    Raises InvalidInput for an address that is not taken, AimeterError if there is no document.
    """
    import requests

    place = shown(url)
    reason = ""
    with requests.Session() as session:
        for pause in (0, *PAUSES):
            time.sleep(pause)
            try:
                return _get(session, url)
            except _TryAgain as error:
                reason = str(error)
            except requests.Timeout:
                reason = f"no answer in {_TIMEOUT[1]} s"
            except requests.exceptions.SSLError:
                raise AimeterError(f"{place}: its certificate is not trusted", hint=_HINT) from None
            except requests.ConnectionError:
                reason = "no connection"
            except requests.RequestException as error:  # its text may hold the whole address
                raise AimeterError(f"{place}: {type(error).__name__}", hint=_HINT) from None
    tries = len(PAUSES) + 1
    raise AimeterError(f"{place} cannot be read: {reason} (tried {tries} times)", hint=_HINT)


def shown(url: str) -> str:
    """The address without its query, which may hold a key."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"


def checked(url: str) -> SplitResult:
    """Raises InvalidInput for what is not https, loopback apart, or holds a password."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        parts.port  # noqa: B018  # raises for one that is no number
    except ValueError:
        raise InvalidInput("--from: not a web address") from None
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)):
        raise InvalidInput(f"{shown(url)}: expected an https address")
    if parts.username is not None or parts.password is not None:
        raise InvalidInput(f"{shown(url)}: an address with a password is not taken")
    return parts


def _get(session: requests.Session, url: str) -> bytes:
    start = checked(url)
    for _ in range(_REDIRECTS + 1):
        with session.get(url, timeout=_TIMEOUT, stream=True, allow_redirects=False) as answer:
            if not answer.is_redirect:
                return _content(answer, shown(url))
            url = urljoin(url, answer.headers["Location"])
            if checked(url).scheme != start.scheme:
                raise InvalidInput(f"{shown(url)}: {start.hostname} sends to another protocol")
    raise AimeterError(f"{shown(url)}: redirected more than {_REDIRECTS} times", hint=_HINT)


def _content(answer: requests.Response, place: str) -> bytes:
    status = answer.status_code
    if status == 429 or status >= 500:
        raise _TryAgain(f"answered {status}")
    if status != 200:
        raise AimeterError(f"{place}: answered {status}", hint=_HINT)
    content = bytearray()
    for chunk in answer.iter_content(65536):
        content += chunk
        if len(content) > MOST_BYTES:
            raise InvalidInput(f"{place}: larger than {MOST_BYTES:,} bytes")
    return bytes(content)
