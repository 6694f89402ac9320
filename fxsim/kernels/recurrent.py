"""LSTM layers: packed once, then run over sequences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from fxsim.arithmetic.formats import Rounding
from fxsim.errors import RangeError
from fxsim.kernels import lstm
from fxsim.kernels.epilogue import epilogue_of, narrowest, rounding_terms
from fxsim.kernels.linear import kernel_of
from fxsim.kernels.operand import MAX_INPUTS, operand_of, words_fit
from fxsim.kernels.stream import stream
from fxsim.kernels.target import Backend, chosen
from fxsim.network import IntArray, QuantizedLinear, QuantizedLstm
from fxsim.network.lstm_gradient import row_multipliers

_SUM_BITS = 30
"""Bits of W x and of U h, so that 32 bits hold their sum with what rounding adds."""

_transposed: WeakKeyDictionary[QuantizedLstm, dict[int, tuple[Any, Any]]] = WeakKeyDictionary()
_kernels: WeakKeyDictionary[QuantizedLstm, LstmKernel] = WeakKeyDictionary()


def lstm_kernel_of(layer: QuantizedLstm) -> LstmKernel:
    """The layer's kernel, packed when first asked for."""
    if (kernel := _kernels.get(layer)) is None:
        kernel = _kernels[layer] = LstmKernel(layer)
    return kernel


@dataclass(frozen=True, kw_only=True, eq=False)
class LstmRun:
    """Result of a run: ``outputs`` and, where asked for, states and details."""

    outputs: npt.NDArray[Any]
    states: lstm.States
    details: lstm.Details
    clipped: int


class LstmKernel:
    """Packed weights and constants of a `QuantizedLstm`."""

    def __init__(self, layer: QuantizedLstm) -> None:
        self._layer = layer
        products = layer.linears
        self.exact = all(
            kernel_of(product).exact and product.inputs <= MAX_INPUTS for product in products
        )
        """True if no accumulator can overflow, so that `run` may be called."""
        quick = False
        if self.exact:
            packed = [_operand(product) for product in products]
            constants = [epilogue_of(product) for product in products]
            self._products: list[Any] = [packed[0], constants[0], packed[1], constants[1]]
            with_projection = layer.projection is not None
            self._products += [packed[2], constants[2]] if with_projection else [None, None]
            quick = all(operand.complete for operand in packed[:2]) and all(
                int(epilogue.multiplier.max()) < 1 << 31
                and not epilogue.parity
                and epilogue.keep == -1
                for epilogue in constants[:2]
            )
            quick = quick and not rounding_terms(layer.rounding, layer.guard_bits)[2]
        self.streams = quick and _may_stream(layer)
        """True if a sequence of its own takes the short step of `fxsim.kernels.stream`."""
        self.constants = _constants(layer, quick=quick)

    def run(
        self,
        x: npt.NDArray[Any],
        cell: IntArray,
        hidden: IntArray,
        *,
        states: bool = False,
        details: bool = False,
    ) -> LstmRun:
        """Run sequences ``x`` (n, t, inputs) and update the state ``cell``, ``hidden`` in place."""
        count, steps, _ = x.shape
        cells, outputs = self._layer.cells, self._layer.outputs
        streams = self.streams and count == 1 and not (states or details)

        def room(asked: bool, width: int, dtype: type) -> npt.NDArray[Any]:
            return np.empty((count, steps, width) if asked else (0, 0, 0), dtype)

        kept = lstm.States(
            room(states, 4 * cells, gate_type(self._layer)), room(states, cells, np.int32)
        )
        seen = lstm.Details(
            input_sums=room(details, 4 * cells, np.int64),
            input_values=room(details, 4 * cells, np.int64),
            hidden_sums=room(details, 4 * cells, np.int64),
            hidden_values=room(details, 4 * cells, np.int64),
            preactivations=room(details, 4 * cells, np.int64),
            outputs=room(details, cells, np.int64),
            projection_sums=room(details and self._layer.projection is not None, outputs, np.int64),
        )
        if streams:
            narrow = np.empty((1, steps, outputs), narrowest(self._layer.output.format))
            arguments = (*self._products[:4], self.constants, narrow[0])
            stream(x[0], cell[0], hidden[0], *arguments)
            return LstmRun(outputs=narrow, states=kept, details=seen, clipped=0)
        x = np.ascontiguousarray(x, np.int64)  # the kernel takes seconds to compile for each type
        out = np.empty((count, steps, outputs), np.int64)
        everything = (*self._products, self.constants, kept, seen, out)
        clipped = lstm.run(x, cell, hidden, *everything)
        return LstmRun(outputs=out, states=kept, details=seen, clipped=clipped)


def _may_stream(layer: QuantizedLstm) -> bool:
    """True if a layer that is ``quick`` may be run by `fxsim.kernels.stream`."""
    return (
        chosen() in {Backend.AMX, Backend.VNNI}
        and layer.projection is None
        and layer.rounding is not Rounding.TIES_EVEN
        and all(product.output.format.bits <= _SUM_BITS for product in layer.linears)
    )


def _operand(product: QuantizedLinear) -> Any:
    fmt = product.input.format
    return operand_of(product.weight, product.bias, fmt.min, fmt.max, chosen())


def transposed_operands(layer: QuantizedLstm, bits: int) -> tuple[Any, Any]:
    """W and U, transposed, with the multipliers of their rows, for gate gradients of ``bits``."""
    known = _transposed.setdefault(layer, {})
    if 4 * layer.cells > MAX_INPUTS:
        raise RangeError(f"{layer.name}: cells must be at most {MAX_INPUTS // 4}")
    if bits not in known:
        half = 1 << bits - 1
        cases = []
        for product in (layer.input_product, layer.hidden_product):
            weight = (product.weight * row_multipliers(product)[:, None]).T
            cases.append((weight, np.zeros(len(weight), np.int64), -half, half - 1, chosen()))
        # Both meet the same gradients, split once.
        words = all(words_fit(*case) for case in cases)
        first, second = (operand_of(*case, words=words) for case in cases)
        known[bits] = first, second
    return known[bits]


def gate_type(layer: QuantizedLstm) -> type[np.signedinteger]:
    """Type that holds the gates of a layer."""
    return np.int16 if max(layer.sigmoid.bits, layer.tanh.bits) < 16 else np.int32


def _constants(layer: QuantizedLstm, *, quick: bool) -> lstm.Elementwise:
    def rounding(shift: int) -> tuple[int, int, int, int]:
        return shift, *rounding_terms(layer.rounding, shift)

    fmt = layer.cell_output.format
    return lstm.Elementwise(
        sigmoid=np.array(layer.sigmoid.expand(), np.int32),
        tanh=np.array(layer.tanh.expand(), np.int32),
        sum=rounding(layer.guard_bits),
        forget=rounding(layer.forget_shift),
        input=rounding(layer.input_shift),
        cell=rounding(layer.cell_shift),
        output=rounding(layer.output_shift),
        cell_low=layer.cell.min,
        cell_high=layer.cell.max,
        low=fmt.min,
        high=fmt.max,
        quick=quick,
    )
