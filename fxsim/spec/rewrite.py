"""A specification of a user with other values, in the user's words: comments and layout stay."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fxsim.errors import FxsimError
from fxsim.files import MAX_YAML_BYTES, parse_yaml, read_bytes, write_text, write_yaml

_LIST = re.compile(r"^( *)\w+:[ \t]*(?:#.*)?\n(?:[ \t]*(?:#.*)?\n)*( *)- ", re.MULTILINE)
"""A list below its key, and how far to the right each stands."""


def rewrite(
    source: Path, old: dict[str, Any], new: dict[str, Any], path: Path, check: Callable[[Any], bool]
) -> None:
    """Write the YAML file ``source`` to ``path``, changed where ``new`` differs from ``old``.

    Parameters
    ----------
    source : Path
    old, new : dict
        What the file says, and what the written one is to say, with or without defaults.
    path : Path
    check : callable
        True of plain values that say what ``new`` does. If those of the changed text do not, as
        with YAML that the two readers take for different values, ``new`` itself is written.

    Raises
    ------
    FileError
        If a file cannot be read or written.
    """
    text = _changed(read_bytes(source, limit=MAX_YAML_BYTES).decode(), old, new)
    try:
        sound = check(parse_yaml(text, path))
    except FxsimError:
        sound = False
    if sound:
        write_text(path, text)
    else:
        write_yaml(path, new)


def _changed(text: str, old: dict[str, Any], new: dict[str, Any]) -> str:
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = max(100, *map(len, text.splitlines()), 0)
    if found := _LIST.search(text):
        offset = len(found[2]) - len(found[1])
        yaml.indent(mapping=2, sequence=offset + 2, offset=offset)
    tree = yaml.load(text)
    _merge(tree, old, new)
    packed = io.StringIO()
    yaml.dump(tree, packed)
    return packed.getvalue()


def _merge(tree: Any, old: dict[str, Any], new: dict[str, Any]) -> None:
    """Change the mapping ``tree`` where two others differ."""
    for key in old.keys() - new.keys():
        tree.pop(key, None)
    for key, value in new.items():
        before, place = old.get(key), tree.get(key)
        if key in old and before == value:
            continue
        if isinstance(value, dict) and isinstance(before, dict) and isinstance(place, dict):
            _merge(place, before, value)
        elif isinstance(value, list) and isinstance(before, list) and _alike(place, before, value):
            for item, one, other in zip(place, before, value, strict=True):
                _merge(item, one, other)
        else:
            tree[key] = _flow(value)


def _alike(*lists: Any) -> bool:
    """True of lists of as many mappings each."""
    mappings = all(
        isinstance(found, list) and all(isinstance(item, dict) for item in found) for found in lists
    )
    return mappings and len({len(found) for found in lists}) == 1


def _flow(value: Any) -> Any:
    """A new value on one line, as in ``{rows: 8, simd: 8}``."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    made: CommentedMap | CommentedSeq
    if isinstance(value, dict):
        made = CommentedMap({key: _flow(item) for key, item in value.items()})
    elif isinstance(value, list):
        made = CommentedSeq(map(_flow, value))
    else:
        return value
    made.fa.set_flow_style()
    return made
