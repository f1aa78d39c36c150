"""Form encoding with brackets, as Stripe takes it: ``period[start]=1&lines[0][invoice_item]=ii_1``.

The pairs are kept as they came (the ledger shows them); the tree is what parameters are read from.
"""

import re
from urllib.parse import parse_qsl

from .refusals import invalid

Pairs = list[tuple[str, str]]
Tree = dict[str, "str | Tree"]

_BRACKETS = re.compile(r"\[([^\[\]]*)\]")


def pairs(encoded: str) -> Pairs:
    """Decode ``a=1&b[c]=2`` in order; blank values are kept, since Stripe reads them as "unset"."""
    return parse_qsl(encoded, keep_blank_values=True)


def _steps(name: str) -> list[str]:
    """``lines[0][invoice_item]`` → ``["lines", "0", "invoice_item"]``; odd brackets stay a name."""
    head, bracket, rest = name.partition("[")
    if not bracket:
        return [name]
    parts = _BRACKETS.findall(bracket + rest)
    rebuilt = head + "".join(f"[{part}]" for part in parts)
    return [head, *parts] if head and rebuilt == name else [name]


def _index(node: Tree, following: str | None) -> str:
    """The place that ``[]`` means: a new element, or the last one while it lacks ``following``."""
    last = node.get(str(len(node) - 1))
    if following and isinstance(last, dict) and following not in last:
        return str(len(node) - 1)
    return str(len(node))


def tree(form: Pairs) -> Tree:
    """Nest the pairs. A list is a dict whose keys are its indices.

    Raises :class:`.refusals.ApiError` when one name is used both as a value and as an object.
    """
    root: Tree = {}
    for name, value in form:
        steps = _steps(name)
        node = root
        for position, step in enumerate(steps[:-1]):
            key = _index(node, steps[position + 1]) if step == "" else step
            child = node.setdefault(key, {})
            if isinstance(child, str):
                raise invalid("Invalid request: a parameter is both a value and an object.", name)
            node = child
        key = _index(node, None) if steps[-1] == "" else steps[-1]
        if isinstance(node.get(key), dict):
            raise invalid("Invalid request: a parameter is both a value and an object.", name)
        node[key] = value
    return root
