"""Parameters: what an endpoint takes, and the 400s for what it does not.

Checking happens before execution, so these refusals are never stored under an idempotency key
(Stripe: "Idempotent requests"). Names and types are a subset of Stripe's OpenAPI description, which
a test holds them to.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from .currencies import check_currency
from .form import Tree
from .refusals import invalid

Kind = Literal[
    "text", "integer", "moment", "decimal", "boolean", "enum", "currency", "email", "metadata",
    "object", "array", "range",
]  # fmt: skip

MAX_TEXT = 5000
METADATA_KEYS, METADATA_KEY, METADATA_VALUE = 50, 40, 500

_INTEGER = re.compile(r"[+-]?\d{1,18}")
_DECIMAL = re.compile(r"[+-]?\d{1,18}(\.\d{1,12})?")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter. ``clearable``: an empty string unsets it and is passed on as None.

    A ``moment`` is ``now`` or epoch seconds.
    """

    kind: Kind = "text"
    required: bool = False
    clearable: bool = False
    choices: tuple[str, ...] = ()
    fields: Mapping[str, "Field"] = field(default_factory=dict)
    of: "Field | None" = None


Fields = Mapping[str, Field]

BOUNDS: Fields = {bound: Field("integer") for bound in ("gt", "gte", "lt", "lte")}


def check(fields: Fields, form: Tree) -> dict[str, Any]:
    """The parameters as Python values, only those that were given; raises Stripe's 400s.

    Integers and time stamps become int, decimals Decimal, lists lists, ``created`` a dict of
    bounds, a cleared parameter None.
    """
    strangers = _strangers(fields, form, "")
    if strangers:
        plural = "s" if len(strangers) > 1 else ""
        raise invalid(
            f"Received unknown parameter{plural}: {', '.join(strangers)}",
            strangers[0],
            "parameter_unknown",
        )
    return _object(fields, form, "")


def _name(prefix: str, name: str) -> str:
    return f"{prefix}[{name}]" if prefix else name


def _strangers(fields: Fields, form: Tree, prefix: str) -> list[str]:
    found = []
    for name, value in form.items():
        known, full = fields.get(name), _name(prefix, name)
        if known is None:
            found.append(full)
        elif isinstance(value, dict) and known.kind == "object":
            found += _strangers(known.fields, value, full)
        elif isinstance(value, dict) and known.kind == "range":
            found += _strangers(BOUNDS, value, full)
        elif isinstance(value, dict) and known.kind == "array" and known.of is not None:
            for index, element in value.items():
                if isinstance(element, dict):
                    found += _strangers(known.of.fields, element, f"{full}[{index}]")
    return found


def _object(fields: Fields, form: Tree, prefix: str) -> dict[str, Any]:
    values = {n: _value(fields[n], form[n], _name(prefix, n)) for n in fields if n in form}
    for name, known in fields.items():
        if known.required and values.get(name) is None:
            param = _name(prefix, name)
            raise invalid(f"Missing required param: {param}.", param, "parameter_missing")
    return values


def _value(known: Field, value: "str | Tree", param: str) -> Any:
    if value == "" and known.clearable:
        return [] if known.kind == "array" else None
    if known.kind == "metadata":
        return _metadata(value, param)
    if known.kind == "object":
        if isinstance(value, str):
            raise invalid("Invalid object", param)
        return _object(known.fields, value, param)
    if known.kind == "array":
        return _array(known, value, param)
    if known.kind == "range":
        if isinstance(value, dict):
            return _object(BOUNDS, value, param)
        return {"gte": _integer(value, param), "lte": _integer(value, param)}
    if isinstance(value, dict):
        raise invalid("Invalid string: expected a value, got an object.", param)
    return _scalar(known, value, param)


def _array(known: Field, value: "str | Tree", param: str) -> list[Any]:
    if isinstance(value, str) or not all(key.isdigit() for key in value):
        raise invalid("Invalid array", param)
    element = known.of or Field()
    return [_value(element, value[i], f"{param}[{i}]") for i in sorted(value, key=int)]


def _scalar(known: Field, value: str, param: str) -> Any:
    if value == "":
        raise invalid(
            f"You passed an empty string for '{param}'. We assume empty values are an attempt to "
            f"unset a parameter; however '{param}' cannot be unset. You should remove '{param}' "
            "from your request or supply a non-empty value.",
            param,
            "parameter_invalid_empty",
        )
    if known.kind == "moment":
        return value if value == "now" else _integer(value, param)
    if known.kind == "integer":
        return _integer(value, param)
    if known.kind == "decimal":
        return _decimal(value, param)
    if known.kind == "boolean":
        if value not in ("true", "false"):
            raise invalid(f"Invalid boolean: {value}", param)
        return value == "true"
    if known.kind == "enum" and value not in known.choices:
        choices = ", ".join(known.choices[:-1]) + f" or {known.choices[-1]}"
        raise invalid(f"Invalid {param}: must be one of {choices}", param)
    if known.kind == "currency":
        return check_currency(value, param)
    if known.kind == "email" and not _EMAIL.fullmatch(value):
        raise invalid(f"Invalid email address: {value}", param, "email_invalid")
    if len(value) > MAX_TEXT:
        raise invalid(
            f"Invalid string: {value[:12]}…; must be at most {MAX_TEXT} characters", param
        )
    return value


def _integer(value: str, param: str) -> int:
    if not _INTEGER.fullmatch(value):
        raise invalid(f"Invalid integer: {value}", param, "parameter_invalid_integer")
    return int(value)


def _decimal(value: str, param: str) -> Decimal:
    if not _DECIMAL.fullmatch(value):
        raise invalid(f"Invalid decimal: {value}; must contain at most 12 decimal places.", param)
    try:
        return Decimal(value)
    except InvalidOperation:
        raise invalid(f"Invalid decimal: {value}", param) from None


def _metadata(value: "str | Tree", param: str) -> dict[str, str] | None:
    """Metadata as given (Stripe: "Metadata"): None clears all, an empty value removes its key."""
    if value == "":
        return None
    if isinstance(value, str):
        raise invalid("Invalid object", param)
    clean: dict[str, str] = {}
    for key, entry in value.items():
        if isinstance(entry, dict):
            raise invalid("Invalid metadata: values must be strings.", param)
        if len(key) > METADATA_KEY:
            raise invalid(
                f"Metadata keys can be at most {METADATA_KEY} characters, but you passed in a key "
                f"that is {len(key)} characters. Invalid key: {key}",
                param,
            )
        if len(entry) > METADATA_VALUE:
            raise invalid(
                f"Metadata values can be at most {METADATA_VALUE} characters, but you passed in a "
                f"value that is {len(entry)} characters. Invalid value: {entry}",
                param,
            )
        clean[key] = entry
    return clean


def merged_metadata(old: dict[str, str], given: dict[str, Any]) -> dict[str, str]:
    """``old`` after the request parameters ``given``; raises the 400 for more than 50 keys."""
    if "metadata" not in given:
        return old
    new = given["metadata"]
    merged = {} if new is None else {k: v for k, v in {**old, **new}.items() if v != ""}
    if len(merged) > METADATA_KEYS:
        raise invalid(
            f"Metadata can have at most {METADATA_KEYS} keys, but you passed in {len(merged)}.",
            "metadata",
        )
    return merged
