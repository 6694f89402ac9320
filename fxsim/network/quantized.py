"""`QuantizedNetwork`: the single source of truth, integers and formats only.

Simulator, reference, hardware and cycle model are all derived from it, and none computes a number
of its own. Every constructor validates, so whatever exists is consistent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

from fxsim.arithmetic.formats import Rounding
from fxsim.arithmetic.tensors import Activation
from fxsim.errors import RangeError
from fxsim.names import check_identifier
from fxsim.network.add import INPUT, QuantizedAdd
from fxsim.network.argmax import Argmax
from fxsim.network.convolution import MaxPool, QuantizedConvolution
from fxsim.network.linear import (
    QuantizedLinear,
)
from fxsim.network.lstm import QuantizedLstm

Layer: TypeAlias = (
    QuantizedLinear | QuantizedLstm | QuantizedConvolution | MaxPool | QuantizedAdd | Argmax
)


@dataclass(frozen=True, kw_only=True)
class InputQuantizer:
    """How a real sample becomes integers: saturate(round(x / scale) + zero_point).

    Samples of shape (channels, height, width) become images as `fxsim.arithmetic.windows.Windows`
    has them: pixel by pixel, the channels of a pixel together.

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
    """A chain of layers behind an input quantizer, and shortcuts from earlier layers to adds.

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
            if isinstance(layer, QuantizedConvolution | MaxPool | QuantizedAdd) and (
                layer.shape_in not in {shape, (size,)}
            ):
                raise RangeError(
                    f"{layer.name}: input must have shape {shape}, not {layer.shape_in}"
                )
            if layer.inputs != size or layer.input != activation:
                raise RangeError(
                    f"{layer.name}: input must be {size} values of {activation},"
                    f" not {layer.inputs} of {layer.input}"
                )
            behind = self.layers[i + 1 :]
            raw = any(product.requantizer is None for product in layer.linears)
            if raw and not all(isinstance(after, Argmax) for after in behind):
                raise RangeError(f"{layer.name}: only the last layer may lack a requantizer")
            if isinstance(layer, Argmax) and behind:
                raise RangeError(f"{layer.name}: only the last layer may be an argmax")
            if isinstance(layer, QuantizedAdd):
                self._check_shortcut(layer, i)
            shape, activation = layer.shape_out, layer.output

    def _check_shortcut(self, add: QuantizedAdd, index: int) -> None:
        """Refuse an add whose shortcut does not start before, or is not what it says."""
        starts = {INPUT: (self.input.shape, self.input.activation)}
        starts |= {layer.name: (layer.shape_out, layer.output) for layer in self.layers[:index]}
        if self.recurrent:
            raise RangeError(f"{add.name}: an add must not be in a network with LSTM layers")
        *known, before = starts
        if add.shortcut == before:
            raise RangeError(
                f"{add.name}: shortcut must start before {before!r}, whose output is added to"
            )
        if add.shortcut not in known:
            raise RangeError(
                f"{add.name}: shortcut must be one of {', '.join(known)}, not {add.shortcut!r}"
            )
        shape, activation = starts[add.shortcut]
        fits = add.shape in {shape, (math.prod(shape),)}
        if not fits or add.other != activation:
            raise RangeError(
                f"{add.name}: shortcut from {add.shortcut!r} must be {shape} of {activation},"
                f" not {add.shape} of {add.other}"
            )

    @property
    def linears(self) -> tuple[QuantizedLinear, ...]:
        """Every matrix product of every layer, in the order of the data."""
        return tuple(product for layer in self.layers for product in layer.linears)

    @property
    def adds(self) -> tuple[QuantizedAdd, ...]:
        """The layers that shortcuts lead to."""
        return tuple(layer for layer in self.layers if isinstance(layer, QuantizedAdd))

    def shortcuts(self, start: str) -> tuple[QuantizedAdd, ...]:
        """Adds whose shortcut starts at a layer, or at `INPUT`."""
        return tuple(add for add in self.adds if add.shortcut == start)

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
    def classifies(self) -> bool:
        """Whether the output is the index of a class, rather than a value for each."""
        return isinstance(self.layers[-1], Argmax)

    @property
    def output(self) -> Activation:
        """Format and scale of what the last layer yields."""
        return self.layers[-1].output
