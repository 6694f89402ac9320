"""`QuantizedNetwork`: the single source of truth, integers and formats only.

Simulator, reference, hardware and cycle model are all derived from it, and none computes a number
of its own. Every constructor validates, so whatever exists is consistent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

from fxsim.convolution import MaxPool, QuantizedConvolution
from fxsim.errors import RangeError
from fxsim.formats import Rounding
from fxsim.linear import Accumulator, Folding, QuantizedLinear, Requantizer, accumulator_bounds
from fxsim.lstm import QuantizedLstm
from fxsim.names import check_identifier
from fxsim.tables import Nonlinearity, Table
from fxsim.tensors import Activation, FloatArray, IntArray
from fxsim.windows import Windows

__all__ = [
    "Accumulator",
    "Activation",
    "FloatArray",
    "Folding",
    "InputQuantizer",
    "IntArray",
    "Layer",
    "MaxPool",
    "Nonlinearity",
    "QuantizedConvolution",
    "QuantizedLinear",
    "QuantizedLstm",
    "QuantizedNetwork",
    "Requantizer",
    "Table",
    "Windows",
    "accumulator_bounds",
]

Layer: TypeAlias = QuantizedLinear | QuantizedLstm | QuantizedConvolution | MaxPool


@dataclass(frozen=True, kw_only=True)
class InputQuantizer:
    """How a real sample becomes integers: saturate(round(x / scale) + zero_point).

    Samples of shape (channels, height, width) become images as `fxsim.windows.Windows` has them:
    pixel by pixel, the channels of a pixel together.

    Raises
    ------
    RangeError
        If ``shape`` is empty or holds anything but positive integers.
    """

    shape: tuple[int, ...]
    activation: Activation
    rounding: Rounding

    def __post_init__(self) -> None:
        if not self.shape or not all(type(size) is int and size > 0 for size in self.shape):
            raise RangeError(f"shape must hold positive integers, not {self.shape}")


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedNetwork:
    """A chain of layers behind an input quantizer.

    Parameters
    ----------
    name : str
        A Verilog-safe identifier; the name of the top module.
    data : str
        Name of the data set that it was trained on.

    Raises
    ------
    RangeError
        If neighbouring layers do not fit, a name is used twice, or ``data`` is not text.
    """

    name: str
    data: str
    input: InputQuantizer
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        check_identifier(self.name, "name")
        if not isinstance(self.data, str):
            raise RangeError(f"data must be text, not {self.data!r}")
        if not self.layers:
            raise RangeError("a network must have at least one layer")
        names = [
            name.lower()
            for layer in self.layers
            for name in dict.fromkeys((layer.name, *(product.name for product in layer.linears)))
        ]
        if len(set(names)) != len(names):
            raise RangeError(f"layer names must be unique, not {names}")
        shape, activation = self.input.shape, self.input.activation
        for i, layer in enumerate(self.layers):
            size = math.prod(shape)
            if isinstance(layer, QuantizedConvolution | MaxPool) and layer.shape_in != shape:
                raise RangeError(
                    f"{layer.name}: input must have shape {shape}, not {layer.shape_in}"
                )
            if layer.inputs != size or layer.input != activation:
                raise RangeError(
                    f"{layer.name}: input must be {size} values of {activation},"
                    f" not {layer.inputs} of {layer.input}"
                )
            raw = any(product.requantizer is None for product in layer.linears)
            if raw and i < len(self.layers) - 1:
                raise RangeError(f"{layer.name}: only the last layer may lack a requantizer")
            shape, activation = layer.shape_out, layer.output

    @property
    def linears(self) -> tuple[QuantizedLinear, ...]:
        """Every matrix product of every layer, in the order of the data."""
        return tuple(product for layer in self.layers for product in layer.linears)

    @property
    def lanes_in(self) -> int:
        """Lanes of the input."""
        return self.layers[0].lanes_in

    @property
    def spatial(self) -> bool:
        """Whether a layer works on images."""
        return any(isinstance(layer, QuantizedConvolution | MaxPool) for layer in self.layers)

    @property
    def recurrent(self) -> bool:
        """Whether a layer carries state from one vector to the next."""
        return any(isinstance(layer, QuantizedLstm) for layer in self.layers)

    @property
    def output(self) -> Activation:
        """Format and scale of what the last layer yields."""
        return self.layers[-1].output
