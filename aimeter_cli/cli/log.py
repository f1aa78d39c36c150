"""``--log-file``: one JSON object a line, from the logger ``aimeter``."""

from __future__ import annotations

import sys
from pathlib import Path

LOGGER = "aimeter"


def start_logging(file: Path | None) -> None:
    """Log to ``file``, or nowhere. Raises ConfigurationError if it cannot be written."""
    import logging

    logger = logging.getLogger(LOGGER)
    logger.propagate = False
    stop_logging()
    if file is None:
        logger.addHandler(logging.NullHandler())
        return
    from aimeter_cli.cli.log_lines import file_handler

    logger.addHandler(file_handler(file))
    logger.setLevel(logging.INFO)


def stop_logging() -> None:
    """Close what ``start_logging`` opened."""
    import logging

    logger = logging.getLogger(LOGGER)
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()


def log_error(message: str) -> None:
    """Log an error, if logging has been started at all."""
    logging = sys.modules.get("logging")
    if logging is not None and logging.getLogger(LOGGER).handlers:
        logging.getLogger(LOGGER).error(message)
