"""Words of a stream, packed as bytes: what goes into files, memories and messages alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self, overload

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


class Packed(Sequence[int]):
    """Unsigned words of equal width.

    Parameters
    ----------
    rows : uint8 array, shape (n, bytes)
        A word a row, its highest byte first.
    """

    def __init__(self, rows: Bytes):
        self.rows = rows

    @classmethod
    def of(cls, words: Sequence[int], width: int) -> Self:
        """Words of ``width`` bits; a word that is wider is cut as a port would cut it."""
        size = bytes_of(width)
        if isinstance(words, Packed) and words.rows.shape[1] == size:
            return cls(words.rows)
        mask = (1 << width) - 1
        data = b"".join((word & mask).to_bytes(size) for word in words)
        return cls(np.frombuffer(data, np.uint8).reshape(-1, size))

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> Packed: ...
    def __getitem__(self, place: int | slice) -> int | Packed:
        if isinstance(place, slice):
            return Packed(self.rows[place])
        return int.from_bytes(self.rows[place].tobytes())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self)} words of {self.rows.shape[1]} bytes>"


def bytes_of(width: int) -> int:
    """Bytes that hold a word of ``width`` bits."""
    return -(-width // 8)


def pack_words(vectors: Any, *, lanes: int, stride: int, pad: int = 0) -> Packed:
    """Pack vectors into words of ``lanes`` two's complement fields of ``stride`` bits.

    The last word of a vector is filled up with ``pad``.

    Parameters
    ----------
    vectors : array_like of int, shape (n, items)
    """
    values = np.asarray(vectors, np.int64)
    if values.size == 0:
        return Packed(np.zeros((0, bytes_of(lanes * stride)), np.uint8))
    beats = -(-values.shape[1] // lanes)
    padded = np.full((len(values), beats * lanes), pad, np.int64)
    padded[:, : values.shape[1]] = values
    return Packed(_bytes(padded.reshape(-1, lanes), stride))


def _bytes(values: NDArray[np.int64], stride: int) -> Bytes:
    """Rows of values as rows of bytes, the first value in the lowest bits."""
    little = np.ascontiguousarray(values).astype("<i8").view(np.uint8).reshape(*values.shape, 8)
    if stride % 8 == 0 and stride <= 64:
        packed = little[..., : stride // 8].reshape(len(values), -1)
    else:
        size = min(bytes_of(stride), 8)
        bits = np.unpackbits(little[..., :size], axis=-1, bitorder="little")
        if stride > 64:  # the sign goes on
            more = np.repeat(bits[..., -1:], stride - 64, axis=-1)
            bits = np.concatenate([bits, more], axis=-1)
        flat = bits[..., :stride].reshape(len(values), -1)
        packed = np.packbits(flat, axis=-1, bitorder="little")
    return np.ascontiguousarray(packed[:, ::-1])
