"""Errors that carry an exit code and a hint. One boundary, ``cli.main``, prints them.

Exit codes are those of DESIGN.md, "The command line".
"""

from __future__ import annotations

from typing import Any


class AimeterError(Exception):
    """Something went wrong that an operator can understand and mend.

    ``hint`` says what to type or change; ``exit_code`` is what the process ends with.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InvalidInput(AimeterError):
    """An option, argument or field has a value that cannot be used (exit 2)."""

    exit_code = 2


class NotFound(AimeterError):
    """What was named does not exist (exit 1)."""


class Conflict(AimeterError):
    """The change contradicts what is already there; nothing was changed (exit 1)."""


class ConfigurationError(AimeterError):
    """Configuration or credentials do not allow this (exit 4)."""

    exit_code = 4


class DatabaseError(AimeterError):
    """The database cannot be reached or is not migrated (exit 5)."""

    exit_code = 5


class RowsFailed(AimeterError):
    """Some of the rows that this run tried failed or stay unknown (exit 3)."""

    exit_code = 3


class Interrupted(AimeterError):
    """Stopped by a signal after settling what was in flight (130 for SIGINT, 143 for SIGTERM)."""

    def __init__(self, signum: int) -> None:
        super().__init__("interrupted; what was in flight has been settled")
        self.exit_code = 128 + signum


class UsageNotRecorded(AimeterError):
    """A call was made and could not be recorded.

    ``usage`` are the fields of its usage line, to be recorded later (``aimeter usage import`` takes
    them as JSON), ``response`` is the provider's.
    """

    def __init__(self, reason: str, usage: dict[str, Any], response: object) -> None:
        super().__init__(
            f"the call was made, but its usage was not recorded: {reason}",
            hint="Record error.usage once the database is there again; its key makes it safe.",
        )
        self._reason = reason
        self.usage = usage
        self.response = response

    def __reduce__(self) -> tuple[Any, ...]:
        """Between processes it goes without the response, which may not be able to."""
        return type(self), (self._reason, self.usage, None)
