"""Secrets written into ``.env``: readable by their owner alone, other lines left as they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from aimeter_cli.errors import ConfigurationError

_MODE = 0o600


def write_secrets(file: Path, secrets: Mapping[str, str]) -> None:
    """Set variables in ``file`` (mode 0600 from then on). Raises ConfigurationError."""
    from dotenv import set_key

    try:
        if file.exists():
            file.chmod(_MODE)
        for variable, value in secrets.items():
            set_key(file, variable, value)  # a new file gets mode 0600, too
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigurationError(f"cannot write {file}: {reason}") from None
