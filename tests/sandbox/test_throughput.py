"""How many small requests a second the sandbox answers."""

from http.client import HTTPConnection
from time import perf_counter
from urllib.parse import urlsplit

import pytest

from aimeter_cli.sandbox.client import SandboxControl


@pytest.mark.bench
def test_600_small_requests_a_second_are_answered(sandbox: SandboxControl, customer: str) -> None:
    connection = HTTPConnection(urlsplit(sandbox.url).netloc)
    headers = {"Authorization": "Bearer sk_test_1"}
    body = f"customer={customer}&amount=1&currency=usd&metadata[aimeter_item]=i0:1"
    start = perf_counter()
    for number in range(1200):
        key = {"Idempotency-Key": f"k{number}"}
        connection.request("POST", "/v1/invoiceitems", body, {**headers, **key})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
    connection.close()
    assert 1200 / (perf_counter() - start) >= 600
