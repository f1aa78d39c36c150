"""The connection to Stripe goes through the proxy that the environment names."""

from __future__ import annotations

import http.server
import threading

import pytest

from aimeter_cli.billing.base import Reply
from aimeter_cli.billing.stripe.connection import Connection
from aimeter_cli.settings.table import Settings


class _Proxy(http.server.BaseHTTPRequestHandler):
    asked: list[str] = []  # noqa: RUF012 - one server, one list

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"object": "account", "id": "acct_1"}')

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.mark.parametrize(("bypass", "reached"), [("", True), ("stripe.invalid", False)])
def test_requests_take_the_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, bypass: str, *, reached: bool
) -> None:
    _Proxy.asked = []
    with http.server.HTTPServer(("127.0.0.1", 0), _Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("NO_PROXY", bypass)
        for name in ("http_proxy", "no_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        settings = Settings(stripe_api_key="sk_test_x", stripe_api_base="http://stripe.invalid")
        connection = Connection(settings)
        _, answer = connection.call(lambda client: client.v1.accounts.retrieve_current())
        connection.close()
        server.shutdown()
    assert (not isinstance(answer, Reply)) is reached
    assert (_Proxy.asked == ["http://stripe.invalid/v1/account"]) is reached
