"""Names of the ports of a network's hardware, and of the streams inside that a bench watches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

SOURCE, SINK = "s_axis", "m_axis"
"""Prefixes of AXI4-Stream ports for what comes in and for what goes out."""


def port_names(prefix: str, names: Iterable[str]) -> dict[str, str]:
    """Port of each input, or each output, by its name: the prefix alone where there is one."""
    names = list(names)
    return {name: prefix if len(names) == 1 else f"{prefix}_{name}" for name in names}


StreamPath: TypeAlias = tuple[str, str]
"""Parts of the names of a stream's signals."""


class StreamWires(NamedTuple):
    """Names of the signals of a stream in the top module."""

    data: str
    valid: str
    ready: str


def link_path(name: str) -> StreamPath:
    """Stream between layers that the layer, or input, of this name gives.

    With the name alone a layer ``i`` would share its names with the ports of layers.
    """
    return name, "o"


def state_path(name: str, part: str) -> StreamPath:
    """Stream that shows a part of a layer's state, a word whenever it is written."""
    return name, part


def wires_of(path: StreamPath) -> StreamWires:
    """Signals of a stream; one that is always ready has no ready."""
    return StreamWires(*("__".join((*path, part)) for part in ("payload", "valid", "ready")))
