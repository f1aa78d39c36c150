import base64

import pytest

from aimeter_cli.sandbox.client import SandboxControl
from tests.sandbox.http_calls import Calls


@pytest.mark.parametrize(
    ("key", "status", "message"),
    [
        ("sk_test_51Abc", 200, ""),
        ("rk_test_51Abc", 200, ""),
        (None, 401, "You did not provide an API key."),
        ("sk_live_51AbcDefGhi", 401, "Invalid API Key provided: sk_live_*******fGhi"),
        ("nonsense", 401, "Invalid API Key provided: nonsense"),
        ("rk_test_forbidden", 403, "The provided key 'rk_test_*****dden' does not have"),
    ],
)
def test_a_test_key_is_needed(
    sandbox: SandboxControl, key: str | None, status: int, message: str
) -> None:
    reply = Calls(sandbox.url, key).get("/v1/account")
    assert reply.status == status
    if message:
        assert reply.error["message"].startswith(message)
        assert reply.error["type"] == "invalid_request_error"


def test_basic_authentication_takes_the_key_as_user(sandbox: SandboxControl) -> None:
    calls = Calls(sandbox.url)
    calls.authorization = "Basic " + base64.b64encode(b"sk_test_1:").decode()
    assert calls.get("/v1/account").status == 200
    calls.authorization = "Basic !!"
    assert calls.get("/v1/account").status == 401


def test_the_control_endpoints_need_no_key_and_leave_no_trace(sandbox: SandboxControl) -> None:
    assert sandbox.health()["ok"] is True
    assert sandbox.ledger() == []


def test_an_answer_bears_stripes_headers(sandbox: SandboxControl) -> None:
    headers = Calls(sandbox.url).get("/v1/account").headers
    assert headers["Request-Id"].startswith("req_")
    assert headers["Stripe-Version"] == "2026-10-28.endive"
    assert headers["Content-Type"] == "application/json"
