"""Names of the ports of a network's hardware."""

from __future__ import annotations

from collections.abc import Iterable

SOURCE, SINK = "s_axis", "m_axis"
"""Prefixes of AXI4-Stream ports for what comes in and for what goes out."""


def port_names(prefix: str, names: Iterable[str]) -> dict[str, str]:
    """Port of each input, or each output, by its name: the prefix alone where there is one."""
    names = list(names)
    return {name: prefix if len(names) == 1 else f"{prefix}_{name}" for name in names}
