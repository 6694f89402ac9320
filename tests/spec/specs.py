"""Specifications with one thing changed, and what is said of them, word for word."""

from __future__ import annotations

import copy

from hypothesis import strategies as st

from fxsim.errors import SpecError
from fxsim.spec import parse_spec
from tests.messages import raises

BASE = {
    "name": "net",
    "data": "digits",
    "input": {"shape": [12]},
    "layers": [
        {"type": "linear", "units": 8, "output": {"bits": 4}},
        {"type": "linear", "units": 6},
    ],
}
TYPES = (
    "type must be 'linear', 'lstm', 'convolution', 'max_pool', 'average_pool', 'flatten', 'add',"
    " 'rescale', 'resize', 'concat' or 'argmax'"
)


def changed(spec, path, value):
    """``spec`` with the key at ``path`` set (or dropped, for ``...``).

    ``path`` is a tuple, or text such as ``layers.0.units``; mappings on the way are made.
    """
    if isinstance(path, str):
        path = [int(part) if part.isdigit() else part for part in path.split(".")]
    result = copy.deepcopy(spec)
    target = result
    for part in path[:-1]:
        target = target.setdefault(part, {}) if isinstance(target, dict) else target[part]
    if value is ...:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    return result


def refused(spec, path, value, message, where):
    """Check what is said of ``spec`` with the key at ``path`` set."""
    with raises(SpecError, f"{message} (x.yaml: {where})" if where else f"{message} (x.yaml)"):
        parse_spec(changed(spec, path, value), "x.yaml")


def paths(value, prefix=()):
    """Path of every key and item below ``value``."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*prefix, key)
        if isinstance(inner, dict | list):
            yield from paths(inner, (*prefix, key))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)
