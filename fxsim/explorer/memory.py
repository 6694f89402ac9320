"""A bounded memory of results by key: what was used least recently goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


class Memory:
    """Remembers what functions made, as long as its arrays take at most ``limit`` bytes.

    Calling it is a `fxsim.quantizer.quantizer.Remember`. Errors are not remembered.
    """

    def __init__(self, limit: int = 1 << 28) -> None:
        self._limit = limit
        self._used = 0
        self._entries: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def __call__(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Value under ``key``, made if it is not there."""
        if key in self._entries:
            self._entries.move_to_end(key)
            return self._entries[key][0]
        value = make()
        size = 1024 + _bytes(value)
        self._entries[key] = value, size
        self._used += size
        while self._used > self._limit and len(self._entries) > 1:
            self._used -= self._entries.popitem(last=False)[1][1]
        return value

    def __len__(self) -> int:
        return len(self._entries)


def _bytes(value: Any) -> int:
    """Bytes of the arrays in a value."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, tuple):
        return sum(map(_bytes, value))
    if is_dataclass(value):
        return sum(_bytes(getattr(value, part.name)) for part in fields(value))
    return 0
