"""Plain HTTP calls, for what the ``stripe`` package would not send or would not show."""

import json
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

Form = dict[str, Any] | list[tuple[str, Any]]


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.body)
        return loaded

    @property
    def error(self) -> dict[str, Any]:
        """The error without what differs from request to request."""
        error: dict[str, Any] = self.json["error"]
        return {k: v for k, v in error.items() if k not in ("request_log_url", "doc_url")}


class Calls:
    def __init__(self, url: str, key: str | None = "sk_test_1", timeout: float = 2) -> None:
        self.address = urlsplit(url).netloc
        self.authorization = None if key is None else f"Bearer {key}"
        self.timeout = timeout

    def get(self, path: str, form: Form | None = None) -> Reply:
        return self.call("GET", path + ("?" + urlencode(form) if form else ""))

    def delete(self, path: str) -> Reply:
        return self.call("DELETE", path)

    def post(self, path: str, form: Form | None = None, *, key: str | None = None) -> Reply:
        return self.call("POST", path, urlencode(form or {}), key)

    def item(self, customer: str, amount: int = 100, *, key: str | None = None, **more: Any) -> Any:
        """The JSON of a new invoice item; lists and dicts are written with brackets."""
        form = [("customer", customer), ("amount", amount)]
        for name, value in {"currency": "usd", **more}.items():
            if isinstance(value, dict):
                form += [(f"{name}[{inner}]", entry) for inner, entry in value.items()]
            elif isinstance(value, list):
                form += [(f"{name}[]", entry) for entry in value]
            else:
                form.append((name, value))
        return self.post("/v1/invoiceitems", form, key=key).json

    def call(
        self, method: str, path: str, body: str | None = None, key: str | None = None
    ) -> Reply:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if self.authorization is not None:
            headers["Authorization"] = self.authorization
        if key is not None:
            headers["Idempotency-Key"] = key
        connection = HTTPConnection(self.address, timeout=self.timeout)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return Reply(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()
