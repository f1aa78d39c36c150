"""Log records as JSON lines, without secrets."""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aimeter_cli.cli.invocation import known_secrets
from aimeter_cli.domain.periods import iso
from aimeter_cli.errors import ConfigurationError, InvalidInput
from aimeter_cli.settings.files import append_regular
from aimeter_cli.settings.secrets import redacted

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """``time level logger message`` and whatever was passed as ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": iso(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _OWN},
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return redacted(json.dumps(entry, ensure_ascii=False, default=str), known_secrets())


class _Regular(logging.FileHandler):
    """A regular file, which its owner alone can read if it is new."""

    def _open(self) -> Any:
        name = self.baseFilename
        return os.fdopen(append_regular(name), "a", encoding=self.encoding, errors=self.errors)


def file_handler(file: Path) -> logging.Handler:
    """Appends to ``file``. Raises ConfigurationError if that cannot be done."""
    try:
        handler = _Regular(file, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise ConfigurationError(f"--log-file: cannot write {file}: {error.strerror}") from None
    except (InvalidInput, ValueError) as error:
        raise InvalidInput(f"--log-file: {error}") from None
    handler.setFormatter(JsonLines())
    return handler
