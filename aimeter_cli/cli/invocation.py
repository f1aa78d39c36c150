"""What one run of a command has at hand: the app, stdout in a format, and stderr."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from aimeter_cli.render.console import Console

if TYPE_CHECKING:
    from aimeter_cli.app import App
    from aimeter_cli.render.output import Format, Output
    from aimeter_cli.render.progress import Advance

current: Invocation | None = None
"""The invocation under way, for the error boundary."""


class Invocation:
    """Made by the root command from the global options; commands take it by ``invocation(ctx)``."""

    def __init__(
        self,
        *,
        console: Console,
        config: Path | None = None,
        database_url: str | None = None,
        format: Format | Literal["prometheus"] | None = None,  # noqa: A002
        as_of: str | None = None,
    ) -> None:
        self.console = console
        self.database_url = database_url
        self._config = config
        self.is_for_prometheus = format == "prometheus"
        self._format: Format | None = "plain" if format == "prometheus" else format
        self._as_of = as_of

    @cached_property
    def app(self) -> App:
        """Settings, database and driver, each opened on first use. Raises InvalidInput."""
        from aimeter_cli.app import App

        overrides = {"database_url": self.database_url} if self.database_url else None
        return App(
            config=self._config, overrides=overrides, as_of=self._pretended, warn=self.console.warn
        )

    @cached_property
    def out(self) -> Output:
        from aimeter_cli.render.output import Output

        return Output(self.console, self._format, now=self.now)

    def now(self) -> datetime:
        return self.app.now()

    def progress(self, title: str, total: int | None = None) -> AbstractContextManager[Advance]:
        """A bar on stderr, where it is a terminal."""
        from aimeter_cli.render.progress import progress

        return progress(self.console, title, total)

    def dry_run_notice(self, dry_run: bool) -> None:
        if dry_run:
            self.console.notice("dry run: nothing was changed")

    @property
    def has_somebody_to_ask(self) -> bool:
        return sys.stdin.isatty() and sys.stderr.isatty()

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask on a terminal; off it, ``--yes`` must be there. Raises InvalidInput or Abort."""
        from aimeter_cli.errors import InvalidInput

        if yes:
            return
        if not self.has_somebody_to_ask:
            raise InvalidInput(f"{question} There is nobody to ask.", hint="Add --yes to agree.")
        typer.confirm(question, abort=True, err=True)

    def close(self) -> None:
        """Close what has been opened; an app that never was opened stays closed."""
        opened = self.__dict__.get("app")
        if opened is not None:
            opened.close()

    @property
    def _pretended(self) -> datetime | None:
        if self._as_of is None:
            return None
        from aimeter_cli.domain.periods import parse_time

        return parse_time(self._as_of, "--as-of")


def begin(ctx: typer.Context, started: Invocation) -> None:
    """Hand an invocation to the command under ``ctx``, and close it at the end."""
    global current  # noqa: PLW0603  # the boundary outlives every context
    current = started
    ctx.obj = started
    ctx.call_on_close(started.close)


def invocation(ctx: typer.Context) -> Invocation:
    """The invocation that the root command made."""
    found = ctx.obj
    if not isinstance(found, Invocation):  # pragma: no cover  # the root callback always runs
        raise TypeError("the command was invoked without its root")
    return found


def known_secrets() -> tuple[str, ...]:
    """Secrets of the settings, if they have been read."""
    opened = current.__dict__.get("app") if current is not None else None
    loaded = opened.__dict__.get("loaded") if opened is not None else None
    if loaded is None:
        return ()
    from aimeter_cli.settings.load import secret_of

    settings = loaded.settings
    variables = [sink.slack_env for sink in settings.alerts]
    variables += [sink.secret_env for sink in settings.event_sinks]
    named = (secret_of(variable) for variable in variables if variable)
    known = (
        settings.stripe_api_key,
        *settings.stripe_webhook_secret,
        *_passwords(settings.database_url),
        *named,
    )
    return tuple(secret for secret in known if secret)


def _passwords(url: str) -> tuple[str, ...]:
    """The password of a database's URL, as it is written there and as the driver gets it."""
    from urllib.parse import unquote

    _, _, named = url.partition("://")[2].rpartition("@")[0].partition(":")
    return (named, unquote(named))
