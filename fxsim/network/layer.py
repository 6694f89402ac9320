"""`Layer`: every kind of layer, and the questions that each one answers for itself.

A function that does something to a layer which differs from kind to kind (storing, running,
planning) is a ``match`` over `Layer` that ends in ``assert_never``, one in each stage. All others
ask what they want to know, and `LayerKind` lists what may be asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeAlias

from fxsim.arithmetic.tensors import Activation, FloatArray
from fxsim.network.add import QuantizedAdd
from fxsim.network.argmax import Argmax
from fxsim.network.concat import Concat
from fxsim.network.convolution import QuantizedConvolution
from fxsim.network.linear import QuantizedLinear
from fxsim.network.lstm import QuantizedLstm
from fxsim.network.pool import MaxPool
from fxsim.network.rescale import Rescale
from fxsim.network.resize import Resize
from fxsim.network.tensor_type import TensorType

Layer: TypeAlias = (
    QuantizedLinear
    | QuantizedLstm
    | QuantizedConvolution
    | MaxPool
    | QuantizedAdd
    | Argmax
    | Concat
    | Resize
    | Rescale
)


class LayerKind(Protocol):
    """Answers of a layer; numbers of integers are those of one vector or image."""

    @property
    def name(self) -> str:
        """Verilog-safe identifier, unique in the network."""

    @property
    def operands(self) -> tuple[TensorType, ...]:
        """Types of the operands; the network knows who yields them."""

    @property
    def state(self) -> Mapping[str, TensorType]:
        """State from one vector to the next, by name; real 0 in a new sequence."""

    @property
    def inputs(self) -> int:
        """Integers of the first operand."""

    @property
    def output(self) -> Activation:
        """Format and scale of what it yields."""

    @property
    def outputs(self) -> int:
        """Integers of what it yields."""

    @property
    def shape_out(self) -> tuple[int, ...]:
        """Shape of what it yields: (channels, height, width) or (items,)."""

    @property
    def linears(self) -> tuple[QuantizedLinear, ...]:
        """Matrix products in it, in the order of the data."""

    @property
    def adds(self) -> tuple[QuantizedAdd, ...]:
        """Sums of activations in it."""

    @property
    def pools(self) -> tuple[MaxPool, ...]:
        """Maxima over windows in it."""

    @property
    def lstms(self) -> tuple[QuantizedLstm, ...]:
        """LSTM recurrences in it: what has a backward pass in integers."""

    @property
    def places(self) -> int:
        """How often each of its matrix products is applied to a vector or image."""

    @property
    def unit(self) -> FloatArray:
        """Real value of 1 in the accumulators of its output, (1,) or (channels,); 1 without any."""

    @property
    def raw(self) -> bool:
        """True if it yields accumulators, without requantization."""

    @property
    def classifies(self) -> bool:
        """True if it yields the index of a class: only the order of its inputs matters then."""

    @property
    def spatial(self) -> bool:
        """True if it works on windows of images, which makes tensors large."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """Sizes of its hardware, besides the foldings of matrix products, by field."""

    @property
    def lanes_in(self) -> int:
        """Lanes of each operand in hardware."""

    @property
    def lanes_out(self) -> int:
        """Lanes of the output in hardware."""

    @property
    def idle(self) -> int:
        """Integer on an output lane of the hardware that has no value to carry."""

    @property
    def settling(self) -> int:
        """Upper bound of the cycles in which hardware prepares its state after reset."""

    @property
    def probes(self) -> Mapping[str, TensorType]:
        """Tensors that hardware shows besides the output, by the name of stream and trace."""
