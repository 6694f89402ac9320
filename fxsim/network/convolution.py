"""Convolution in integers: a matrix product over the windows of an image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from fxsim.arithmetic.tensors import Activation, FloatArray
from fxsim.arithmetic.windows import Windows
from fxsim.errors import RangeError
from fxsim.network.linear import Folding, QuantizedLinear
from fxsim.network.tensor_type import NO_SIZES, NO_TENSORS, TensorType


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedConvolution:
    """A convolution: a fully connected layer that is applied to every window of an image.

    Output channel m at a place is output m of ``product`` for the window of the channel's group
    there; pixels outside the image are the input's zero point, which stands for real 0. Everything
    else (accumulator, beats, requantization) is that of `QuantizedLinear`. A batch normalisation is
    part of the product's bias and multipliers. Average pooling is the case of one channel a group
    and weights of 1.

    Parameters
    ----------
    product : QuantizedLinear
        Weights of shape (output channels, window size); its name is that of the layer.
    windows : Windows
        With groups, output channel m belongs to group m // (output channels / groups).

    Raises
    ------
    RangeError
        If sizes do not fit, or the folding is one that windows cannot be given out in.
    """

    product: QuantizedLinear
    windows: Windows

    # Answers of `LayerKind`.
    adds = pools = lstms = ()
    state = probes = NO_TENSORS
    sizes = NO_SIZES
    classifies, spatial, settling = False, True, 0

    def __post_init__(self) -> None:
        product, windows = self.product, self.windows
        try:
            if product.inputs != windows.size:
                raise RangeError(
                    f"weight must have {windows.size} columns, the size of a window,"
                    f" not {product.inputs}"
                )
            if product.outputs % windows.groups:
                raise RangeError(
                    f"groups must divide {product.outputs} output channels, not {windows.groups}"
                )
            if self.group_outputs % product.folding.rows:
                raise RangeError(
                    f"rows must divide {self.group_outputs}, the output channels of a group,"
                    f" not {product.folding.rows}"
                )
            if product.folding.simd not in (choices := windows.simd_choices()):
                raise RangeError(f"simd must be one of {choices}, not {product.folding.simd}")
        except RangeError as error:
            raise RangeError(f"{self.name}: {error}") from None

    @property
    def name(self) -> str:
        """Name of the layer."""
        return self.product.name

    @property
    def linears(self) -> tuple[QuantizedLinear, ...]:
        """The matrix products of the layer."""
        return (self.product,)

    @property
    def operands(self) -> tuple[TensorType, ...]:
        """An image."""
        return (TensorType(self.shape_in, self.input),)

    @property
    def places(self) -> int:
        """Windows of an image."""
        return self.windows.places

    @property
    def unit(self) -> FloatArray:
        """Real value of 1 in the accumulators."""
        return self.product.unit

    @property
    def raw(self) -> bool:
        """True if the outputs are accumulators."""
        return self.product.raw

    @property
    def idle(self) -> int:
        """Integer on an idle output lane."""
        return self.product.idle

    @property
    def group_outputs(self) -> int:
        """Output channels of a group."""
        return self.product.outputs // self.windows.groups

    @property
    def repeats(self) -> int:
        """How often a window is given out: once for each tile of its group."""
        return self.group_outputs // self.product.folding.rows

    @cached_property
    def group_products(self) -> tuple[QuantizedLinear, ...]:
        """The product of each group by itself."""
        count = self.group_outputs
        if self.windows.groups == 1:
            return (self.product,)
        return tuple(
            _rows(self.product, slice(start, start + count))
            for start in range(0, self.product.outputs, count)
        )

    @property
    def shape_in(self) -> tuple[int, int, int]:
        """Channels, height and width of the input."""
        return self.windows.shape

    @property
    def shape_out(self) -> tuple[int, int, int]:
        """Channels, height and width of the output."""
        return self.product.outputs, self.windows.rows, self.windows.columns

    @property
    def inputs(self) -> int:
        """Integers of an input image."""
        return self.windows.items

    @property
    def outputs(self) -> int:
        """Integers of an output image."""
        return self.product.outputs * self.windows.places

    @property
    def input(self) -> Activation:
        """Activation of the input."""
        return self.product.input

    @property
    def output(self) -> Activation:
        """Activation of the output."""
        return self.product.output

    @property
    def lanes_in(self) -> int:
        """Lanes of the pixels that the layer takes; they divide the channels."""
        return self.windows.lanes_in(self.product.folding.simd)

    @property
    def lanes_out(self) -> int:
        """Lanes of the output; they divide the channels."""
        return self.product.lanes_out


def _rows(product: QuantizedLinear, rows: slice) -> QuantizedLinear:
    """Some outputs of a product."""
    tail = product.tail
    scale = product.weight_scale
    return replace(
        product,
        weight=product.weight[rows],
        bias=product.bias[rows],
        weight_scale=scale[rows] if len(scale) > 1 else scale,
        tail=tail and tail.rows(rows),
        folding=Folding(rows=1, simd=product.folding.simd),
    )
