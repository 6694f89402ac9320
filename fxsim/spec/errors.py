"""Errors of a specification, each in one line that ends with the file and the key path."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from fxsim.spec.keys import fields_of, model_in


def _key_path(location: tuple[int | str, ...]) -> str:
    text = "".join(
        f".{part}" if isinstance(part, str) and part.isidentifier() else f"[{part!r}]"
        for part in location
    )
    return text.removeprefix(".")


def _fields_at(location: tuple[int | str, ...], model: Any, layers: Mapping[str, Any]) -> list[str]:
    if location[:1] == ("layers",) and len(location) > 2:
        model, location = layers[str(location[2])], location[3:]
    for part in location:
        known = fields_of(model)
        if part in known:  # else the name of an input, or the number of an item
            model = model_in(known[str(part)].annotation)
    return list(fields_of(model))


def explain(
    error: ValidationError,
    value: Any,
    source: str,
    model: Any,
    layers: Mapping[str, Any] = MappingProxyType({}),
) -> str:
    """Message of the first error of a validation against ``model``.

    Parameters
    ----------
    error : ValidationError
    value : any
        Data that was validated.
    source : str
        Where it is from.
    model : pydantic model
    layers : mapping of str to pydantic model
        Types that an item of ``layers`` may have.
    """
    first = error.errors(include_url=False)[0]
    located = location = first["loc"]
    if location[:1] == ("layers",):
        location = location[:2] + location[3:]  # without the type of the layer
    if first["type"].startswith("union_tag"):
        location = (*location, "type")
    where = f"({source}: {_key_path(location)})" if location else f"({source})"
    named = max((i for i, part in enumerate(location) if isinstance(part, str)), default=0)
    key = _key_path(location[named:])
    if first["type"] == "json_invalid":
        return f"values must be plain YAML ({first['msg']}) {where}"
    if first["type"] == "extra_forbidden":
        known = _fields_at(located[:-1], model, layers)
        near = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        return f"unknown key {str(location[-1])!r}; {hint} {where}"
    if first["type"] == "union_tag_invalid":
        *types, final = map(repr, layers)
        found = _short(first["input"]["type"])
        return f"type must be {', '.join(types)} or {final}, not {found} {where}"
    if first["type"] in {"missing", "union_tag_not_found"}:
        return f"{key} is missing {where}"
    if first["type"] in {"too_short", "too_long"}:
        least, most = (first["ctx"].get(f"{which}_length") for which in ("min", "max"))
        limit = f"at least {least}" if most is None else f"at most {most}"
        noun = "item" if (least or most) == 1 else "items"
        return f"{key} must have {limit} {noun}, not {first['ctx']['actual_length']} {where}"
    problem = first["msg"].removeprefix("Input should be ")
    return f"{key} must be {problem}, not {_short(first['input'])} {where}"


def _short(value: Any) -> str:
    shown = repr(value)
    return shown[:77] + "..." if len(shown) > 80 else shown
