"""The record of a MAC array: its lanes, its arithmetic, its weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from fxsim.arithmetic.codes import AnyCode
from fxsim.arithmetic.formats import AccumulatorMode, IntFormat, MemoryStyle
from fxsim.errors import ConfigError, RangeError
from fxsim.network import Folding, IntArray, QuantizedLinear
from fxsim.plan.beat import Beat, check_sizes
from fxsim.plan.memory import WeightMemory, arranged


@dataclass(frozen=True, kw_only=True, eq=False)
class MacArrayConfig:
    """Configuration of a `fxsim.hw.blocks.mac_array.MacArray`.

    With several ``columns`` the array multiplies matrices, each vector a column: beats have lane
    ``k * columns + c`` for lane k of column c, so that a matrix passes row by row.

    Parameters
    ----------
    rows, simd : int
        Output and input lanes; a layer that they do not divide is padded with zero weights.
    columns : int
        Vectors that are multiplied at the same time, sharing every word of weights.
    activation, accumulator : IntFormat
        Formats of what is multiplied and of the running sum.
    code : WeightCode
        How a weight is stored and multiplied.
    mode : AccumulatorMode
        What the accumulator does after each beat.
    weights : int64 array, shape (outputs, inputs)
    bias : int64 array, shape (outputs,)
        Start value of each accumulator.
    dsp : bool
        Whether multipliers are meant for DSP blocks or for LUTs.
    memory : MemoryStyle
        What the weight memory is made of; `fxsim.plan.memory.WeightMemory` says what AUTO becomes.
    loadable : bool
        True if ``weights`` are only those after power-up, and others may be written.
    name : str
        Of the weight memory, and of the file that fills it.

    Raises
    ------
    ConfigError
        If a size or a width is out of range.
    """

    rows: int
    simd: int
    activation: IntFormat
    code: AnyCode
    accumulator: IntFormat
    mode: AccumulatorMode
    weights: IntArray
    bias: IntArray
    dsp: bool = True
    memory: MemoryStyle = MemoryStyle.AUTO
    columns: int = 1
    loadable: bool = False
    name: str = "mac_array"

    def __post_init__(self) -> None:
        check_sizes(self, "rows", "simd", "columns")
        if not self.accumulator.signed:
            raise ConfigError(f"accumulator must be signed, not {self.accumulator}")
        try:
            self.code.check(self.weights, "weights")
        except RangeError as error:
            raise ConfigError(str(error)) from None
        outputs, inputs = self.weights.shape
        if not self.code.pads and (outputs % self.rows or inputs % self.simd):
            raise ConfigError(
                f"rows and simd must divide {outputs} x {inputs} with {self.code} weights, which"
                f" have no 0, not {self.rows} and {self.simd}"
            )

    @classmethod
    def from_layer(
        cls, layer: QuantizedLinear, *, columns: int = 1, loadable: bool = False
    ) -> Self:
        """Configuration of the array that computes ``layer``."""
        return cls(
            rows=layer.folding.rows,
            simd=layer.folding.simd,
            activation=layer.input.format,
            code=layer.code,
            accumulator=layer.accumulator.format,
            mode=layer.accumulator.mode,
            weights=layer.weight,
            bias=layer.bias,
            dsp=layer.folding.dsp,
            memory=layer.folding.memory,
            columns=columns,
            loadable=loadable,
            name=layer.name,
        )

    @property
    def tiles(self) -> int:
        """Groups of ``rows`` outputs."""
        return -(-int(self.weights.shape[0]) // self.rows)

    @property
    def beats(self) -> int:
        """Beats of ``simd`` inputs in a vector."""
        return -(-int(self.weights.shape[1]) // self.simd)

    @property
    def i(self) -> Beat:
        """Beat of activations."""
        return Beat(self.activation, self.simd * self.columns)

    @property
    def o(self) -> Beat:
        """Accumulators of a tile."""
        return Beat(self.accumulator, self.rows * self.columns)

    @property
    def ratio(self) -> tuple[int, int]:
        """Beats of a vector, for one of its tiles, and the tile's accumulators."""
        return self.beats, 1

    @property
    def bias_varies(self) -> bool:
        """True if tiles differ in their start values, so that these need a memory."""
        words = self.bias_words
        return any(word != words[0] for word in words)

    @property
    def weight_words(self) -> IntArray:
        """Words of weights as the memory holds them: rows x simd for each tile and beat."""
        return arranged(self.weights, self.rows, self.simd, self.code)

    @cached_property
    def content(self) -> WeightMemory:
        """Weight memory: for each tile, for each beat, a word of ``rows`` x ``simd`` weights."""
        folding = Folding(rows=self.rows, simd=self.simd, memory=self.memory)
        return WeightMemory.holding(
            self.weights, self.code, folding, self.name, loadable=self.loadable
        )

    @cached_property
    def bias_words(self) -> list[list[int]]:
        """Memory content: for each tile, ``rows`` start values."""
        padded = np.zeros(self.tiles * self.rows, np.int64)
        padded[: len(self.bias)] = self.bias
        return padded.reshape(self.tiles, self.rows).tolist()
