"""Weight memories of the hardware: words, what they are made of, files, and their checksum."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from fxsim.arithmetic.codes import WeightCode
from fxsim.arithmetic.formats import MemoryStyle
from fxsim.arithmetic.tensors import IntArray
from fxsim.network import Folding, QuantizedLinear

CHECKSUM_BITS = 32
POLYNOMIAL = 0x04C11DB7
"""CRC-32 of IEEE 802.3 without its highest term; primitive, so that its period is 2^32 - 1."""

LARGE_BITS = 1 << 14
LUT_DEPTH = 64
"""Words that a single LUT of 6 inputs can hold a bit of."""


@dataclass(frozen=True, kw_only=True, eq=False)
class WeightMemory:
    """The weight memory of one matrix product.

    Word ``tile * beats + beat`` has the weights of ``rows`` outputs and ``simd`` inputs: that of
    row r and lane s, as its code stores it, from bit (r * simd + s) * code.bits on.

    Parameters
    ----------
    name : str
        Of the product.
    style : MemoryStyle
        AUTO becomes BLOCK where LUTs would be many: more than `LARGE_BITS` in more than
        `LUT_DEPTH` words.
    width : int
        Bits of a word.
    words : list of int
    loadable : bool
        True if these are only the words after power-up, and others may be written.
    """

    name: str
    style: MemoryStyle
    width: int
    words: list[int] = field(repr=False)
    loadable: bool = False

    @classmethod
    def of(cls, product: QuantizedLinear) -> WeightMemory:
        """Memory of ``product`` in its folding."""
        return cls.holding(product.weight, product.code, product.folding, product.name)

    @classmethod
    def holding(
        cls,
        weights: IntArray,
        code: WeightCode,
        folding: Folding,
        name: str,
        *,
        loadable: bool = False,
    ) -> WeightMemory:
        """Memory of ``weights``, shape (outputs, inputs), padded with zeros to tiles and beats."""
        rows, simd, style = folding.rows, folding.simd, folding.memory
        width = rows * simd * code.bits
        words = _packed(arranged(weights, rows, simd, code), code.bits)
        large = len(words) > LUT_DEPTH and width * len(words) > LARGE_BITS
        if style is MemoryStyle.AUTO and large:
            style = MemoryStyle.BLOCK
        return cls(name=name, style=style, width=width, words=words, loadable=loadable)

    @property
    def depth(self) -> int:
        """Number of words."""
        return len(self.words)

    @property
    def registered(self) -> bool:
        """True if there is a register after the memory: where it may be block RAM, which is slow.

        AUTO is, for some family, in more than `LUT_DEPTH` words, or if it can be written.
        """
        if self.style is MemoryStyle.AUTO:
            return self.loadable or self.depth > LUT_DEPTH
        return self.style is MemoryStyle.BLOCK

    @property
    def bits(self) -> int:
        """Size of the memory, padding of tiles and beats included."""
        return self.width * self.depth

    @property
    def filled(self) -> bool:
        """True if a file fills it; the words of others are in the Verilog itself."""
        return self.checked or self.loadable

    @property
    def checked(self) -> bool:
        """True if the hardware sums up what it reads of the file."""
        return self.style is MemoryStyle.BLOCK and not self.loadable

    def file(self, top: str) -> str:
        """Name of the file that fills it in the hardware called ``top``.

        Names have no dot, so files of different networks in one folder never clash.
        """
        owner = top if self.name == top else f"{top}.{self.name}"
        return f"{owner}_weights.hex"

    @property
    def text(self) -> str:
        """Content of the file, for ``$readmemh``: a line of hexadecimal digits for each word."""
        digits = -(-self.width // 4)
        return "".join(f"{word:0{digits}x}\n" for word in self.words)

    @cached_property
    def checksum(self) -> int:
        """Value that the hardware's register must hold."""
        return checksum(self.words)


def arranged(weights: IntArray, rows: int, simd: int, code: WeightCode) -> IntArray:
    """Stored weights by word, shape (tiles * beats, rows * simd), padded with stored zeros.

    ``weights`` has the shape (outputs, inputs), which rows and simd divide if the code has no 0.
    """
    outputs, inputs = weights.shape
    tiles, beats = -(-outputs // rows), -(-inputs // simd)
    padded = np.zeros((tiles * rows, beats * simd), np.int64)
    padded[:outputs, :inputs] = code.stored(weights)
    lanes = padded.reshape(tiles, rows, beats, simd).swapaxes(1, 2)
    return lanes.reshape(tiles * beats, rows * simd)


def _packed(words: IntArray, bits: int) -> list[int]:
    fields = (words[..., None] >> np.arange(bits)) & 1
    packed = np.packbits(fields.reshape(len(words), -1).astype(np.uint8), axis=1, bitorder="little")
    return [int.from_bytes(word.tobytes(), "little") for word in packed]


def checksum(words: Iterable[int]) -> int:
    """Checksum of the words of a memory, as the hardware computes it while it reads them.

    It is the state of a multiple-input signature register, a linear feedback shift register to
    which each word is added after the step; a word of more than 32 bits is folded by exclusive or.
    A difference goes unnoticed with a probability of 2^-32; one within 32 neighbouring bits of a
    single word never does.

    Examples
    --------
    >>> [hex(checksum(words)) for words in ([1], [1, 0], [1 << 31, 0], [1 << 32])]
    ['0x1', '0x2', '0x4c11db7', '0x1']
    """
    mask, state = (1 << CHECKSUM_BITS) - 1, 0
    for word in words:
        feedback = POLYNOMIAL if state >> (CHECKSUM_BITS - 1) else 0
        state = ((state << 1) & mask) ^ feedback
        while word:
            state ^= word & mask
            word >>= CHECKSUM_BITS
    return state
