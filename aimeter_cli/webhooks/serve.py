"""``webhooks serve``: the endpoint under uvicorn, with its two workers, until a signal comes."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import socket
from collections.abc import Callable
from typing import Any

from aimeter_cli.errors import AimeterError, ConfigurationError, InvalidInput
from aimeter_cli.repositories.installation import bound_installation
from aimeter_cli.services.sync.account import check_mode
from aimeter_cli.signals import StopFlag, stop_on_signals
from aimeter_cli.webhooks.endpoint import HEALTH, Endpoint
from aimeter_cli.webhooks.handler import Handler
from aimeter_cli.webhooks.intake import Assembly, Intake
from aimeter_cli.webhooks.refusals import Refusals
from aimeter_cli.webhooks.storer import Storer

_GRACE_SECONDS = 15
_MOST_CONNECTIONS = 1000


def serve(
    app: Assembly,
    host: str,
    port: int,
    path: str,
    *,
    ready: Callable[[str], object] = lambda _: None,
    notice: Callable[[str], object] = lambda _: None,
) -> None:
    """Serve until SIGINT or SIGTERM, then answer and handle what is under way.

    ``ready`` is told the address once it listens. Raises ConfigurationError without the extra
    ``serve`` or without a secret, or for a key of another mode than the rows; AimeterError where it
    cannot listen.
    """
    uvicorn = _uvicorn()
    if not path.startswith("/") or path == HEALTH:
        raise InvalidInput(f"--path: expected a path such as /stripe/webhook, got {path!r}")
    secrets = app.settings.stripe_webhook_secret
    if not secrets:
        raise ConfigurationError(
            "STRIPE_WEBHOOK_SECRET is not set",
            hint="Put the endpoint's signing secret (whsec_…) into the environment or .env; "
            "several, comma-separated, while it is rotated.",
        )
    database, intake, refusals = app.database, Intake(app), Refusals()
    directory = intake.directory  # a driver that does not exist is told now
    if directory is not None:
        with database.read() as session:
            check_mode(bound_installation(session), directory)
    listener = _listen(host, port)
    handler = Handler(app, intake, notice)
    storer = Storer(app, handler.wake)
    endpoint = Endpoint(
        app, storer, secrets, path, refusals=refusals, is_healthy=lambda: handler.is_healthy,
        notice=notice,
    )  # fmt: skip
    config = uvicorn.Config(
        endpoint, lifespan="off", ws="none", log_config=None, access_log=False,
        proxy_headers=False, server_header=False, limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )  # fmt: skip
    server = uvicorn.Server(config)
    url = f"http://{_shown(listener)}{path}"
    storer.start()
    handler.start()
    try:
        with listener, stop_on_signals() as stop:
            asyncio.run(_run(server, listener, stop, lambda: ready(url)))
    finally:
        storer.close()
        handler.close()
        refusals.write(database)


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _run(
    server: Any, listener: socket.socket, stop: StopFlag, ready: Callable[[], object]
) -> None:
    """Uvicorn takes the signals while it serves, and raises them again afterwards, for ``stop``."""
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    server.should_exit = server.should_exit or stop.is_set()
    if server.started:
        ready()
    await serving


def _uvicorn() -> Any:
    try:
        import uvicorn
    except ImportError:
        raise ConfigurationError(
            "webhooks serve needs the package uvicorn", hint="pip install 'aimeter-cli[serve]'"
        ) from None
    logger = logging.getLogger("uvicorn")  # it would say on stderr what we say in our own words
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return uvicorn


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=1024)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "no such address"
        number = getattr(error, "errno", None)
        if number is None or number < 0 or number == errno.EADDRNOTAVAIL:  # below 0: a name
            hint = "--host: expected an address of this machine: 127.0.0.1, or 0.0.0.0 for all."
        else:
            hint = "--port 0 picks a free one."
        raise AimeterError(f"cannot listen on {host}:{port}: {reason}", hint=hint) from None


def _shown(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
