"""The first difference between two configurations, in words."""

from __future__ import annotations

import json
from itertools import takewhile
from typing import Any

_LENGTH = 70
"""Characters of a value that are shown."""

_BEFORE = 20
"""Those of them before the place where two values part."""


def first_difference(old: Any, new: Any, key: str = "") -> str | None:
    """Say how a configuration was made that is not the wanted one; None if both are equal.

    Parameters
    ----------
    old, new : plain values
        They are compared as JSON, in which the order of keys counts, too.
    key : str
        Path of both; it may be left out for mappings.

    Returns
    -------
    str or None
        Such as ``with layers[1].bits 8, not 6`` or ``without seed, which is 2 now``.
    """
    one, other = _text(old), _text(new)
    return None if one == other else _between(json.loads(one), json.loads(other), key)


def _between(old: Any, new: Any, key: str) -> str:
    if not isinstance(old, dict | list) or type(old) is not type(new):
        return f"with {key} {_side_by_side(_text(old), _text(new))}"
    before, after = _items(old, key), _items(new, key)
    for name, value in before.items():
        if name not in after:
            return f"with {name} {_text(value)[:_LENGTH]}, which is left out now"
        if found := first_difference(value, after[name], name):
            return found
    for name, value in after.items():
        if name not in before:
            return f"without {name}, which is {_text(value)[:_LENGTH]} now"
    return f"with {key} in the order {_side_by_side(', '.join(old), ', '.join(new))}"


def _items(value: dict[str, Any] | list[Any], key: str) -> dict[str, Any]:
    """Members by their paths."""
    if isinstance(value, list):
        return {f"{key}[{k}]": part for k, part in enumerate(value)}
    return {f"{key}.{name}" if key else name: part for name, part in value.items()}


def _side_by_side(one: str, other: str) -> str:
    """Two texts, both from shortly before the place where they part if they are long."""
    pairs = zip(one, other, strict=False)
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    start = max(same - _BEFORE, 0) if max(len(one), len(other)) > _LENGTH else 0
    dots = "..." if start else ""
    return ", not ".join(dots + text[start : start + _LENGTH] for text in (one, other))


def _text(value: Any) -> str:
    return json.dumps(value)
