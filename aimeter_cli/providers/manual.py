"""No response to read: the application tells the usage itself."""

from __future__ import annotations

from aimeter_cli.providers.base import Metered, StreamUsage


class ManualProvider:
    def usage(self, response: object) -> Metered | None:
        return None

    def stream(self) -> StreamUsage:
        return _Unread()


class _Unread:
    def see(self, chunk: object) -> None:
        """Chunks tell nothing here."""

    def usage(self) -> Metered | None:
        return None
