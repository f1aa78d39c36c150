"""A POST to an address that may hold secrets: no error repeats it, no redirect is followed."""

from __future__ import annotations

from collections.abc import Mapping


class NotDelivered(Exception):
    """Why not. ``unreachable``: the sink did not answer at all, so others would not arrive, too."""

    def __init__(self, reason: str, *, unreachable: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.unreachable = unreachable


_CONNECT_SECONDS = 5


class Poster:
    """One connection to one address, kept open between posts."""

    def __init__(self, address: str, timeout_seconds: int) -> None:
        import requests

        self._address = address
        self._timeout = (min(_CONNECT_SECONDS, timeout_seconds), timeout_seconds)
        self._session = requests.Session()

    def post(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Raises NotDelivered, unless the answer is 2xx."""
        import requests

        try:
            with self._session.post(
                self._address, data=body, headers=headers, timeout=self._timeout,
                allow_redirects=False, stream=True,
            ) as answer:  # fmt: skip
                status = answer.status_code
        except requests.Timeout:
            reason = f"no answer in {self._timeout[1]} s"
            raise NotDelivered(reason, unreachable=True) from None
        except (requests.RequestException, ValueError) as error:  # its text holds the address
            raise NotDelivered(type(error).__name__, unreachable=True) from None
        if not 200 <= status < 300:
            raise NotDelivered(f"answered {status}")

    def close(self) -> None:
        self._session.close()
