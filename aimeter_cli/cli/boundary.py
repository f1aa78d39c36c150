"""The one place where errors become messages and exit codes (DESIGN.md, "The command line")."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from typing import Any

import typer

from aimeter_cli.errors import AimeterError

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FAULT = 70
_BAD_PATHS = (errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES, errno.ENOTDIR)
_DATABASE_HINT = "Check that it is reachable (aimeter db current) and run this again."
_DATABASE_HINTS = {
    "disk is full": "Make room on its disk, then run this again.",
    "file is not a database": "database_url names another file, or this one is damaged.",
    "readonly database": "Its file and folder must be writable for who runs this.",
}
"""What SQLite tells, and what helps."""


def exit_code(run: Callable[[], Any]) -> int:
    """Run a command, print what went wrong on stderr, and return what the process ends with."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    try:
        return _exit_code(run)
    finally:
        _stop_logging()


def _exit_code(run: Callable[[], Any]) -> int:
    try:
        result = run()
    except AimeterError as error:
        _report(error.message, error.hint)
        return error.exit_code
    except typer.Abort as error:
        is_interrupted = isinstance(error.__context__, KeyboardInterrupt)
        if is_interrupted:
            print(file=sys.stderr)  # the terminal's line ends with ^C
        _report("aborted; nothing was changed")
        return 130 if is_interrupted else 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _discard_stdout()
        return 0
    except Exception as error:  # noqa: BLE001  # the boundary: nothing may pass as a traceback
        return _unexpected(error)
    return result if isinstance(result, int) else 0


def _unexpected(error: Exception) -> int:
    if isinstance(error, typer.TyperException):
        return _usage(error)
    if isinstance(error, OSError) and error.filename and error.errno in _BAD_PATHS:
        _report(f"{error.filename}: {error.strerror}")
        return 2
    if isinstance(error, OverflowError) or "out of range" in str(getattr(error, "orig", "")):
        _report("a number, or a time, is larger than can be kept", "Look at what was typed.")
        return 2
    exceptions: Any = sys.modules.get("sqlalchemy.exc")  # never imported for this check
    if exceptions is not None and (
        isinstance(error, exceptions.OperationalError | exceptions.InterfaceError)
        or type(error) is exceptions.DatabaseError
    ):
        reason = str(getattr(error, "orig", error)).strip().splitlines() or ["no reason given"]
        hints = (hint for told, hint in _DATABASE_HINTS.items() if told in reason[0])
        _report(f"the database failed: {reason[0]}", next(hints, _DATABASE_HINT))
        return 5
    _fault(error)
    return FAULT


def _usage(error: Any) -> int:
    """A line that Typer could not parse. A group without a command has printed its help."""
    context = getattr(error, "ctx", None)
    message = _plain(error.format_message())
    if message:
        _report(message, f"{context.command_path} --help" if context is not None else None)
    return int(error.exit_code)


def _plain(message: str) -> str:
    """How Typer refuses a choice or a number, in our words."""
    message = message.replace("Value error, ", "").partition(", unable to parse")[0]
    message = message.replace("Input should be a valid integer", "expected a whole number")
    message = message.replace("Input should be", "expected")
    message = message.replace("expected greater than or equal to", "expected at least")
    return message.replace("expected less than or equal to", "expected at most")


def _fault(error: Exception) -> None:
    verbose = any(word in ("-v", "--verbose") for word in sys.argv) or _is_verbose()
    if verbose:
        import traceback

        _print(_redacted("".join(traceback.format_exception(error))))
    kind = type(error).__name__
    _report(
        f"{kind}{_place(error)}: this is a fault of aimeter",
        "Please report it, with what --verbose adds.",
    )


def _place(error: Exception) -> str:
    """Where in aimeter it happened: the innermost of its own frames."""
    place, trace = "", error.__traceback__
    while trace is not None:
        file = os.path.abspath(trace.tb_frame.f_code.co_filename)
        if file.startswith(_PACKAGE + os.sep):
            place = f" at {os.path.relpath(file, _PACKAGE)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _report(message: str, hint: str | None = None) -> None:
    from aimeter_cli.cli.log import log_error
    from aimeter_cli.render.console import Console

    message, hint = _redacted(message), hint and _redacted(hint)
    log_error(message)
    Console().error(message, hint)


def _print(text: str) -> None:
    from aimeter_cli.render.safe import harmless_lines

    print(harmless_lines(text), file=sys.stderr, end="")


def _redacted(text: str) -> str:
    from aimeter_cli.cli.invocation import known_secrets
    from aimeter_cli.settings.secrets import redacted

    return redacted(text, known_secrets())


def _is_verbose() -> bool:
    from aimeter_cli.cli.invocation import current

    return current is not None and current.console.verbose


def _stop_logging() -> None:
    if "aimeter_cli.cli.log" in sys.modules:
        from aimeter_cli.cli.log import stop_logging

        stop_logging()


def _discard_stdout() -> None:
    from aimeter_cli.render.output import discard_stdout

    discard_stdout()
