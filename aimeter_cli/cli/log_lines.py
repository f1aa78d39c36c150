"""Log records as JSON lines, without secrets."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from pathlib import Path

from aimeter_cli.cli.invocation import known_secrets
from aimeter_cli.domain.periods import iso
from aimeter_cli.errors import ConfigurationError
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


def file_handler(file: Path) -> logging.Handler:
    """Appends to ``file``. Raises ConfigurationError if that cannot be done."""
    try:
        handler = logging.FileHandler(file, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise ConfigurationError(f"--log-file: cannot write {file}: {error.strerror}") from None
    handler.setFormatter(JsonLines())
    return handler
