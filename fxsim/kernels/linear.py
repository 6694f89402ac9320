"""Fully connected layers: packed once, then run on batches."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from fxsim.arithmetic.formats import AccumulatorMode
from fxsim.kernels.epilogue import epilogue_of, narrowest, requantize
from fxsim.kernels.operand import MAX_INPUTS
from fxsim.kernels.product import Product, as_bytes
from fxsim.kernels.saturate import accumulate_beats, beat_sums, pack_beats
from fxsim.kernels.target import Backend, chosen, has_vnni
from fxsim.network import IntArray, QuantizedLinear, accumulator_bounds

_MOST_BITS = 30
"""Width of saturating accumulators to which the sum of a beat of bytes can be added in 32 bits."""

_kernels: WeakKeyDictionary[QuantizedLinear, LinearKernel] = WeakKeyDictionary()


def kernel_of(layer: QuantizedLinear) -> LinearKernel:
    """The layer's kernel, packed when first asked for."""
    if (kernel := _kernels.get(layer)) is None:
        kernel = _kernels[layer] = LinearKernel(layer)
    return kernel


class LinearKernel:
    """Packed weights and constants of a `QuantizedLinear`; inputs have shape (rows, inputs)."""

    def __init__(self, layer: QuantizedLinear) -> None:
        fmt = layer.accumulator.format
        source = layer.input.format
        self.exact = layer.accumulator.mode is AccumulatorMode.WIDE or fmt.holds(
            *accumulator_bounds(layer.weight, layer.bias, source)
        )
        """True if no accumulator can overflow."""
        self._saturates = layer.accumulator.mode is AccumulatorMode.SATURATE
        self._bits, self._simd = fmt.bits, layer.folding.simd
        self._low, self._high = fmt.min, fmt.max
        self._bias, self._flip = layer.bias, 0x80 if source.signed else 0
        self._product: Product | None = None
        self._beats = None
        if self.exact or not self._saturates:
            self._product = Product(layer.weight, layer.bias, source.min, source.max)
        if not self.exact and _lanes_fit(layer):
            weight = layer.weight.astype(np.int8)
            limits = self._low, self._high, max(source.max, -source.min)
            self._beats = pack_beats(weight, layer.bias, self._simd, self._flip, *limits)
        self._columns = np.ascontiguousarray(layer.weight.T)
        self._epilogue = epilogue_of(layer) if layer.tail is not None else None
        fused = self.exact and self._product is not None and self._product.fused
        self._fused = (
            fused
            and self._epilogue is not None
            and layer.output.format.bits <= 16
            and int(self._epilogue.multiplier.max()) < 1 << 31
        )
        self._type = narrowest(layer.output.format)

    def accumulate(self, x: npt.NDArray[Any], *, count: bool) -> tuple[npt.NDArray[Any], int]:
        """Accumulators (rows, outputs) and, where ``count``, how many beats overflowed."""
        if self.exact:
            assert self._product is not None
            return self._product(x), 0
        if self._product is not None and not count:
            total = self._product(x).astype(np.int64)
            return ((total - self._low) & ((1 << self._bits) - 1)) + self._low, 0
        if self._beats is not None:
            out = np.empty((len(x), len(self._bias)), np.int32)
            how = self._simd, out, count, not self._saturates
            return out, beat_sums(as_bytes(x), self._flip, self._beats, *how)
        return accumulate_beats(
            np.ascontiguousarray(x, np.int64),
            self._columns,
            self._bias,
            self._simd,
            self._bits,
            self._saturates,
        )

    def requantize(self, accumulators: npt.NDArray[Any]) -> tuple[IntArray, int]:
        """Activations, and how many left the output format; the accumulators if that is all."""
        if self._epilogue is None:
            return accumulators.astype(np.int64, copy=False), 0
        return requantize(accumulators, self._epilogue)

    def activations(self, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Outputs of the layer in a narrow type, without a trace."""
        if self._fused:
            assert self._product is not None
            assert self._epilogue is not None
            return self._product.requantized(x, self._epilogue).view(self._type)
        accumulators, _ = self.accumulate(x, count=False)
        if self._epilogue is None:
            return accumulators
        return requantize(accumulators, self._epilogue)[0].astype(self._type)


def _lanes_fit(layer: QuantizedLinear) -> bool:
    """True if bytes and 32-bit lanes hold the operands, and any sum and range of `beat_sums`."""
    weights = layer.weight_format
    return (
        chosen() in {Backend.AMX, Backend.VNNI}
        and has_vnni()
        and layer.input.format.bits <= 8
        and weights.min >= -128
        and weights.max <= 127
        and layer.accumulator.format.bits <= _MOST_BITS
        and layer.folding.simd <= 1 << 14
        and layer.inputs <= MAX_INPUTS
    )
