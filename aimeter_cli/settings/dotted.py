"""Objects that a configuration names: ``package.module:attribute``, or with a dot."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from aimeter_cli.errors import ConfigurationError


def load_dotted(path: str, what: str) -> Any:
    """Raises ConfigurationError, naming ``what`` (the setting), if there is no such object."""
    module, separator, attribute = path.partition(":")
    if not separator:
        module, _, attribute = path.rpartition(".")
    if not module:
        raise ConfigurationError(f"{what} {path!r} is no dotted path: expected package.module:name")
    try:
        found: Any = import_module(module)
        for name in attribute.split("."):
            found = getattr(found, name)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ConfigurationError(f"{what} {path!r} cannot be loaded: {error}") from None
    return found


def load_function(path: str, what: str) -> Callable[..., Any]:
    """The same, for something that can be called."""
    found = load_dotted(path, what)
    if not callable(found):
        raise ConfigurationError(f"{what} {path!r} is not a function")
    return found  # type: ignore[no-any-return]
