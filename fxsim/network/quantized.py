"""`QuantizedNetwork`: the single source of truth, integers and formats only.

Simulator, reference, hardware and cycle model are all derived from it, and none computes a number
of its own. Every constructor validates, so whatever exists is consistent.
"""

from __future__ import annotations

from dataclasses import dataclass

from fxsim.arithmetic.formats import Rounding
from fxsim.arithmetic.tensors import Activation
from fxsim.errors import RangeError
from fxsim.names import check_identifier
from fxsim.network.add import INPUT, QuantizedAdd
from fxsim.network.layer import Layer, LayerKind
from fxsim.network.linear import QuantizedLinear
from fxsim.network.lstm import QuantizedLstm
from fxsim.network.pool import MaxPool
from fxsim.network.tensor_type import TensorType


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
        If neighbouring layers do not fit, images meet LSTM layers, a name is used twice, or
        ``data`` is not text.
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
        yielded = {INPUT: TensorType(self.input.shape, self.input.activation)}
        for i, layer in enumerate(self.layers):
            self._check_operands(layer, yielded)
            behind = self.layers[i + 1 :]
            if layer.raw and not all(after.classifies for after in behind):
                raise RangeError(f"{layer.name}: only the last layer may lack a requantizer")
            if layer.spatial and self.recurrent:
                raise RangeError(
                    f"{layer.name}: a layer of images must not be in a network with LSTM layers"
                )
            if layer.classifies and behind:
                raise RangeError(f"{layer.name}: only the last layer may be an argmax")
            yielded[layer.name] = TensorType(layer.shape_out, layer.output)

    def _check_operands(self, layer: LayerKind, yielded: dict[str, TensorType]) -> None:
        """Refuse a layer that does not take what the layers before it yield."""
        *known, before = yielded
        taken, given = layer.operands[0], yielded[before]
        if not taken.admits(given.shape) and len(taken.shape) > 1:
            raise RangeError(
                f"{layer.name}: input must have shape {given.shape}, not {taken.shape}"
            )
        if taken.items != given.items or taken.activation != given.activation:
            raise RangeError(
                f"{layer.name}: input must be {given.items} values of {given.activation},"
                f" not {taken.items} of {taken.activation}"
            )
        if layer.sources and self.recurrent:
            raise RangeError(f"{layer.name}: an add must not be in a network with LSTM layers")
        for source, taken in zip(layer.sources, layer.operands[1:], strict=True):
            if source == before:
                raise RangeError(
                    f"{layer.name}: shortcut must start before {before!r}, whose output is added to"
                )
            if source not in known:
                raise RangeError(
                    f"{layer.name}: shortcut must be one of {', '.join(known)}, not {source!r}"
                )
            given = yielded[source]
            if not taken.admits(given.shape) or taken.activation != given.activation:
                raise RangeError(
                    f"{layer.name}: shortcut from {source!r} must be {given.shape} of"
                    f" {given.activation}, not {taken.shape} of {taken.activation}"
                )

    @property
    def linears(self) -> tuple[QuantizedLinear, ...]:
        """Every matrix product of every layer, in the order of the data."""
        return tuple(product for layer in self.layers for product in layer.linears)

    @property
    def adds(self) -> tuple[QuantizedAdd, ...]:
        """Every sum of activations of every layer."""
        return tuple(add for layer in self.layers for add in layer.adds)

    @property
    def pools(self) -> tuple[MaxPool, ...]:
        """Every max pooling of every layer."""
        return tuple(pool for layer in self.layers for pool in layer.pools)

    @property
    def lstms(self) -> tuple[QuantizedLstm, ...]:
        """Every LSTM recurrence of every layer."""
        return tuple(lstm for layer in self.layers for lstm in layer.lstms)

    def shortcuts(self, start: str) -> tuple[Layer, ...]:
        """Layers that name a layer, or `INPUT`, among their sources."""
        return tuple(layer for layer in self.layers if start in layer.sources)

    @property
    def lanes_in(self) -> int:
        """Lanes of the input."""
        return self.layers[0].lanes_in

    @property
    def spatial(self) -> bool:
        """Whether a layer works on images."""
        return any(layer.spatial for layer in self.layers)

    @property
    def recurrent(self) -> bool:
        """Whether a layer carries state from one vector to the next."""
        return any(layer.state for layer in self.layers)

    @property
    def classifies(self) -> bool:
        """Whether the output is the index of a class, rather than a value for each."""
        return self.layers[-1].classifies

    @property
    def output(self) -> Activation:
        """Format and scale of what the last layer yields."""
        return self.layers[-1].output
