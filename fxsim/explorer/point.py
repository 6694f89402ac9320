"""Keys of a specification by their path: ``layers[0].weights.levels``, ``layers[*].output.bits``.

``layers[*]`` stands for every layer that has the key. A layer without a folding of its own starts
from the network's when one key of it is set.
"""

from __future__ import annotations

import difflib
import json
import re
from itertools import pairwise
from typing import Annotated, Any, TypeAlias

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from fxsim.errors import SpecError
from fxsim.spec.keys import fields_of, model_in
from fxsim.spec.specification import LAYER_TYPES, NetworkSpec

Path: TypeAlias = tuple[int | str, ...]
_TOKEN = re.compile(r"([A-Za-z_]\w*)|\[(\d+|\*)\]")


def check_key(spec: NetworkSpec, key: str, where: str) -> None:
    """Check that the network has the key.

    Raises
    ------
    SpecError
        If not; the message names the nearest key that it has.
    """
    problems = [_unknown(spec, path) for path in _paths(spec, key, where)]
    if all(problems):
        raise SpecError(f"{problems[0]} ({where}: {key})")


def check_value(spec: NetworkSpec, key: str, value: Any, where: str) -> None:
    """Check that a key, which the network has, could ever hold a value.

    Raises
    ------
    SpecError
        If the value is of no type, number or name that the key takes, whatever the others are.
    """
    problems = []
    for path in _paths(spec, key, where):
        if _unknown(spec, path):
            continue
        field = _field(spec, path)
        kind: Any = field.annotation
        if field.metadata:
            kind = Annotated[kind, *field.metadata]
        try:
            TypeAdapter[Any](kind).validate_json(json.dumps(value), strict=True)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            name = first["loc"][-1] if first["loc"] else path[-1]
            if first["type"] == "extra_forbidden":
                problems.append(f"{path[-1]} has no key {name!r}")
            else:
                problem = first["msg"].removeprefix("Input should be ")
                problems.append(f"{name} must be {problem}, not {first['input']!r}")
        else:
            return
    raise SpecError(f"{problems[0]} ({where})")


def set_key(spec: NetworkSpec, tree: dict[str, Any], key: str, value: Any) -> None:
    """Set ``key`` in the plain values ``tree`` of the specification ``spec``."""
    for path in _paths(spec, key, spec.name):
        if _unknown(spec, path):
            continue  # another layer of layers[*] has it
        node: Any = tree
        for part, after in pairwise(path):
            if isinstance(node, dict) and node.get(part) is None:
                own_folding = after in spec.hardware.__class__.model_fields
                node[part] = dict(tree["hardware"]) if own_folding and path[0] == "layers" else {}
            node = node[part]
        node[path[-1]] = value


def _paths(spec: NetworkSpec, key: str, where: str) -> list[Path]:
    """Paths that ``key`` stands for."""
    parts: list[int | str] = []
    position = 0
    while position < len(key):
        if key[position] == "." and parts:
            position += 1
        found = _TOKEN.match(key, position)
        if found is None:
            raise SpecError(f"keys must look like layers[0].weights.levels, not {key!r} ({where})")
        name, index = found.groups()
        parts.append(name if name else index if index == "*" else int(index))
        position = found.end()
    if "*" not in parts:
        return [tuple(parts)]
    star = parts.index("*")
    return [(*parts[:star], i, *parts[star + 1 :]) for i in range(len(spec.layers))]


def _unknown(spec: NetworkSpec, path: Path) -> str:
    """Error of a path that the specification lacks; empty if it has it."""
    if path[0] == "layers" and len(path) > 1 and not isinstance(path[1], int):
        return "layers must have an index, as in layers[0] or layers[*]"
    model: Any = type(spec)
    for i, part in enumerate(path):
        if isinstance(part, int):
            if path[:i] != ("layers",):
                return f"only layers have an index, not {path[0]!r}"
            if part >= len(spec.layers):
                return f"layer must be from 0 to {len(spec.layers) - 1}, not {part}"
            model = LAYER_TYPES[spec.layers[part].type]
            continue
        named = path[:i] == ("inputs",)
        fields: dict[str, Any] = dict(spec.inputs) if named else fields_of(model)
        if not i:
            del fields["inputs" if spec.named_inputs is None else "input"]
        if part not in fields:
            near = difflib.get_close_matches(part, fields, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(fields)}"
            return f"unknown key {part!r}; {hint if fields else 'it has no keys'}"
        if not named:
            model = model_in(fields[part].annotation)
    whole = path in {("layers",), ("explore",), ("inputs",)} or path[:-1] == ("inputs",)
    if whole or isinstance(path[-1], int):
        return "a variable must set a key of a layer, of the input or of the network"
    if path[0] == "layers" and "requantize" in path:
        place = path[1]
        assert isinstance(place, int)
        if spec.layers[place].raw:
            return f"requantize must be left out for layer {place}, which has no output"
    return ""


def _field(spec: NetworkSpec, path: Path) -> FieldInfo:
    """The field at a path that the specification has."""
    model: Any = type(spec)
    fields: list[FieldInfo] = []
    for i, part in enumerate(path):
        if isinstance(part, int):
            model = LAYER_TYPES[spec.layers[part].type]
        elif path[:i] != ("inputs",):
            fields.append(fields_of(model)[part])
            model = model_in(fields[-1].annotation)
    return fields[-1]
