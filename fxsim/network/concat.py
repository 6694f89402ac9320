"""The operands of a layer side by side: channels of images, or items of vectors."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fxsim.arithmetic.tensors import Activation
from fxsim.errors import RangeError
from fxsim.names import check_identifier
from fxsim.network.shapes import check_lanes, check_shape
from fxsim.network.tensor_type import NO_TENSORS, NO_UNIT, TensorType


@dataclass(frozen=True, kw_only=True, eq=False)
class Concat:
    """Joined images, pixel by pixel the channels of one after those of the other; or vectors.

    Integers pass as they are, so all operands have one format, scale and zero point. A `Rescale`
    brings an operand to that of the others.

    Parameters
    ----------
    name : str
    shapes : tuple of tuple of int
        Shape of each operand: (channels, height, width), height and width in common, or (items,).
    input : Activation
        Activation of every operand and of the output.
    lanes : int
        Integers that hardware passes at a time; they divide the channels (or items) of each
        operand.

    Raises
    ------
    RangeError
        If there are fewer than 2 operands, or shapes or lanes do not fit.
    """

    name: str
    shapes: tuple[tuple[int, ...], ...]
    input: Activation
    lanes: int = 1

    # Answers of `LayerKind`.
    linears = adds = pools = lstms = ()
    state = probes = NO_TENSORS
    classifies = spatial = raw = False
    places, settling, unit = 1, 0, NO_UNIT

    def __post_init__(self) -> None:
        check_identifier(self.name, "name")
        shapes = tuple(tuple(shape) for shape in self.shapes)
        object.__setattr__(self, "shapes", shapes)
        try:
            if len(shapes) < 2:
                raise RangeError(f"shapes must be of at least 2 operands, not {len(shapes)}")
            for shape in shapes:
                check_shape(shape, "shapes")
                if shape[1:] != shapes[0][1:] or len(shape) != len(shapes[0]):
                    raise RangeError(
                        f"shapes must differ in channels or items only, not {shapes[0]} and {shape}"
                    )
                check_lanes(self.lanes, shape)
        except RangeError as error:
            raise RangeError(f"{self.name}: {error}") from None

    @property
    def operands(self) -> tuple[TensorType, ...]:
        """Operands, in order."""
        return tuple(TensorType(shape, self.input) for shape in self.shapes)

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels or items of each operand."""
        return tuple(shape[0] for shape in self.shapes)

    @property
    def output(self) -> Activation:
        """Activation of the output, which is that of the operands."""
        return self.input

    @property
    def idle(self) -> int:
        """Integer on an idle output lane."""
        return self.output.zero_point

    @property
    def inputs(self) -> int:
        """Integers of the first operand."""
        return math.prod(self.shapes[0])

    @property
    def outputs(self) -> int:
        """Integers of the output."""
        return math.prod(self.shape_out)

    @property
    def shape_out(self) -> tuple[int, ...]:
        """Shape of the output: the channels or items of all operands."""
        return sum(self.channels), *self.shapes[0][1:]

    @property
    def sizes(self) -> dict[str, int]:
        """Sizes of its hardware."""
        return {"lanes": self.lanes}

    @property
    def lanes_in(self) -> int:
        """Lanes of each operand."""
        return self.lanes

    @property
    def lanes_out(self) -> int:
        """Lanes of the output."""
        return self.lanes
