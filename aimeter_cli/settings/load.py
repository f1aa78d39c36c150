"""Where settings come from: options, environment, ``.env``, ``aimeter.toml``, defaults.

Unknown keys and bad values are errors that name file and line, or the variable.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from aimeter_cli.domain.pricing import price_book
from aimeter_cli.errors import ConfigurationError, InvalidInput
from aimeter_cli.settings.files import open_regular
from aimeter_cli.settings.table import ENV_PREFIX, ROWS, Row, Settings

CONFIG_NAME = "aimeter.toml"
_KEY = re.compile(r"(sk|rk)_(test|live)_[A-Za-z0-9_]+")
_BY_KEY = {row.key: row for row in ROWS}
_BY_VARIABLE = {row.variable: row for row in ROWS}
_TABLES = {row.path: row for row in ROWS if row.is_table}


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings with the source of each value, for ``config show`` and ``doctor``."""

    settings: Settings
    sources: Mapping[str, str]
    file: Path | None


def load_settings(
    *,
    config: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Loaded:
    """Read every source. Raises ConfigurationError that says where the fault is.

    ``overrides`` are the command line's, by key; ``environ`` and ``cwd`` default to the process's.
    """
    environ = os.environ if environ is None else environ
    cwd = Path.cwd() if cwd is None else cwd
    values: dict[str, Any] = {}
    sources = {row.key: "default" for row in ROWS}
    file = _find_file(config, environ, cwd)
    if file is not None:
        _read_toml(file, values, sources)
    _read_environment(_dotenv(cwd / ".env"), str(cwd / ".env"), values, sources)
    _read_environment(environ, "environment", values, sources)
    for key, value in (overrides or {}).items():
        option = "--" + key.replace("_", "-")
        values[key] = _parsed(_BY_KEY[key], value, option)
        sources[key] = option
    values["database_url"] = _database_url(values.get("database_url", ""), sources, file)
    settings = Settings(**values)
    _check_together(settings, sources)
    return Loaded(settings, sources, file)


def _find_file(config: Path | None, environ: Mapping[str, str], cwd: Path) -> Path | None:
    for named, origin in ((config, "--config"), (environ.get("AIMETER_CONFIG"), "AIMETER_CONFIG")):
        if named:
            path = cwd / Path(named).expanduser()
            if not path.exists():
                raise ConfigurationError(
                    f"{origin}: there is no file {path}", hint="aimeter init writes one."
                )
            return path
    local = cwd / CONFIG_NAME
    if local.is_file():
        return local
    from platformdirs import user_config_path

    personal = user_config_path("aimeter") / CONFIG_NAME
    return personal if personal.is_file() else None


def _read_toml(file: Path, values: dict[str, Any], sources: dict[str, str]) -> None:
    try:
        with open_regular(file) as opened:
            content = opened.read().decode()
        document = tomllib.loads(content, parse_float=Decimal)
    except InvalidInput as error:
        raise ConfigurationError(error.message) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{file}: {error}") from None
    except RecursionError:
        raise ConfigurationError(f"{file}: nested too deeply") from None
    except ValueError:  # of thousands of digits
        raise ConfigurationError(f"{file}: holds a number that is too long") from None
    for path, value in _flat(document):
        line = _line_of(content, path)
        place = f"{file}:{line}" if line else str(file)
        key = path.replace(".", "_")
        row = _TABLES.get(path) or _BY_KEY.get(key)
        if row is None:
            raise ConfigurationError(f"{place}: unknown key {path}", hint=_did_you_mean(path))
        if row.setting.secret:
            raise ConfigurationError(
                f"{place}: {path} is a secret and does not belong in a file that is shared",
                hint=f"Set {row.variable} in the environment or in .env.",
            )
        if sources[row.key] != "default":
            raise ConfigurationError(f"{place}: {path} is given twice")
        values[row.key] = _parsed(row, value, f"{place}: {path}")
        sources[row.key] = place


def _flat(document: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested tables → dotted paths, but for the settings that are tables themselves."""
    found: list[tuple[str, Any]] = []
    for name, value in document.items():
        path = prefix + name
        if isinstance(value, Mapping) and path not in _TABLES:
            found += _flat(value, path + ".") or [(path, value)]
        else:
            found.append((path, value))
    return found


def _line_of(content: str, path: str) -> int | None:
    """The line that sets ``path``: tomllib does not tell, so its last name is searched for."""
    section, _, name = path.rpartition(".")
    current = ""
    for number, line in enumerate(content.splitlines(), 1):
        header = re.match(r"\s*\[\[?([^\[\]]+)\]", line)
        if header:
            current = header[1].strip()
            if current == path or current.startswith(path + "."):
                return number
        elif re.match(rf"\s*[\"']?{re.escape(name)}[\"']?\s*[=.]", line) and current == section:
            return number
    return None


def _read_environment(
    environ: Mapping[str, str], origin: str, values: dict[str, Any], sources: dict[str, str]
) -> None:
    for name, value in environ.items():
        row = _BY_VARIABLE.get(name)
        if row is None:
            if name.startswith(ENV_PREFIX):
                raise ConfigurationError(
                    f"{origin}: unknown variable {name}", hint=_did_you_mean(name)
                )
            continue
        if value == "":
            continue
        given = _json_table(row, value) if row.is_table else value
        values[row.key] = _parsed(row, given, f"{origin}: {name}")
        sources[row.key] = f"{origin} {name}"


def _json_table(row: Row, value: str) -> Any:
    import json

    try:
        return json.loads(value, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise ConfigurationError(f"{row.variable}: expected a JSON object") from None


def secret_of(variable: str) -> str | None:
    """What the environment, or ``.env``, holds under a name that a setting tells."""
    return os.environ.get(variable) or _dotenv(Path.cwd() / ".env").get(variable)


def _dotenv(file: Path) -> Mapping[str, str]:
    if not file.is_file():
        return {}
    from dotenv import dotenv_values

    try:
        found = dotenv_values(file, interpolate=False)  # a password may hold ${
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: {error}") from None
    return {name: value for name, value in found.items() if value is not None}


def _parsed(row: Row, value: Any, place: str) -> Any:
    try:
        return row.setting.parse(value)
    except InvalidInput as error:
        shown = "the value cannot be used" if row.setting.secret else error.message
        raise ConfigurationError(f"{place}: {shown}") from None


def _did_you_mean(name: str) -> str:
    names = [row.variable for row in ROWS] + [row.path for row in ROWS]
    close = get_close_matches(name, names, 1)
    return f"Did you mean {close[0]}?" if close else "aimeter config show lists every key."


def _database_url(value: str, sources: Mapping[str, str], file: Path | None) -> str:
    if not value:
        from platformdirs import user_data_path

        return f"sqlite:///{user_data_path('aimeter') / 'aimeter.db'}"
    prefix = "sqlite:///"
    from_file = file is not None and sources["database_url"].startswith(str(file))
    if value.startswith(prefix) and from_file and file is not None:
        path = value[len(prefix) :]
        if path and path != ":memory:":
            return prefix + str(file.parent.absolute() / Path(path).expanduser())
    return value


def _check_together(settings: Settings, sources: Mapping[str, str]) -> None:
    try:
        price_book(settings.prices, settings.currency)
    except InvalidInput as error:
        raise ConfigurationError(f"{sources['prices']}: {error.message}") from None
    twins = {sink.name for sink in settings.event_sinks} & {sink.name for sink in settings.alerts}
    if twins:
        raise ConfigurationError(
            f"{sources['alerts']}: {sorted(twins)[0]}: an event sink has this name, too"
        )
    if settings.stripe_api_key and not _KEY.fullmatch(settings.stripe_api_key):
        raise ConfigurationError(
            f"{sources['stripe_api_key']}: this is no Stripe key",
            hint="It starts with sk_test_, rk_test_, sk_live_ or rk_live_, without spaces.",
        )
    if settings.lease_seconds < settings.stripe_timeout_seconds + 5:
        places = {sources[key] for key in ("lease_seconds", "stripe_timeout_seconds")}
        raise ConfigurationError(
            f"{', '.join(sorted(places - {'default'}))}: lease_seconds ({settings.lease_seconds}) "
            f"must be at least stripe_timeout_seconds + 5 ({settings.stripe_timeout_seconds + 5})"
        )
    if settings.stripe_api_key.startswith(("sk_live_", "rk_live_")) and not settings.stripe_live:
        raise ConfigurationError(
            "STRIPE_API_KEY is a live key, but stripe.live is not true",
            hint="Use a test key, or set live = true under [stripe] once you mean to bill.",
        )
