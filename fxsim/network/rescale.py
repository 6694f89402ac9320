"""Activations brought to another format, scale and zero point: a tail and nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from fxsim.arithmetic.formats import MAX_BITS
from fxsim.arithmetic.tensors import Activation
from fxsim.errors import RangeError
from fxsim.names import check_identifier
from fxsim.network.shapes import check_lanes, check_shape
from fxsim.network.tail import Tail
from fxsim.network.tensor_type import NO_TENSORS, NO_UNIT, TensorType


@dataclass(frozen=True, kw_only=True, eq=False)
class Rescale:
    """Requantized activations: one multiplier and offset for all, or those of each channel.

    ::

        output = requantize(x - zero point of x)

    multiplier / 2**shift stands for the real ratio scale of x / scale of the output, and
    offset / 2**shift for a real constant in steps of the output.

    Parameters
    ----------
    name : str
    shape : tuple of int
        Shape of input and output: (channels, height, width) or (items,).
    input : Activation
    tail : Tail
        With constants of shape (1,) or (channels,); (items,) for a vector.
    output : Activation
    lanes : int
        Integers that hardware requantizes at a time; they divide the channels of an image or the
        items.

    Raises
    ------
    RangeError
        If shapes, lanes or constants do not fit, or an intermediate result could need more than 62
        bits.
    """

    name: str
    shape: tuple[int, ...]
    input: Activation
    tail: Tail
    output: Activation
    lanes: int = 1

    # Answers of `LayerKind`.
    linears = adds = pools = lstms = ()
    state = probes = NO_TENSORS
    classifies = spatial = raw = False
    places, settling, unit = 1, 0, NO_UNIT

    def __post_init__(self) -> None:
        check_identifier(self.name, "name")
        object.__setattr__(self, "shape", tuple(self.shape))
        try:
            self._check()
        except RangeError as error:
            raise RangeError(f"{self.name}: {error}") from None

    def _check(self) -> None:
        check_shape(self.shape)
        check_lanes(self.lanes, self.shape)
        tail, channels = self.tail, self.shape[0]
        for key, constants in (
            ("multiplier", tail.multiplier),
            ("offset", tail.offset),
            ("below", tail.below),
        ):
            if constants.shape not in {(1,), (channels,)}:
                raise RangeError(
                    f"{key} must have shape (1,) or ({channels},), not {constants.shape}"
                )
        if self.input.format.bits + 1 + tail.multiplier_bits > MAX_BITS:
            raise RangeError(
                f"input bits plus multiplier bits must be at most {MAX_BITS - 1},"
                f" not {self.input.format.bits} + {tail.multiplier_bits}"
            )
        tail.check_output(self.output.format)
        _ = self.folded  # its offsets must fit

    @property
    def folded(self) -> Tail:
        """Tail of x itself: its offset has what the zero point of x comes to.

        What is added ``below`` is for x less than its zero point, still.
        """
        zero_point = self.tail.multiplier * self.input.zero_point
        return replace(self.tail, offset=self.tail.offset - zero_point)

    @property
    def operands(self) -> tuple[TensorType, ...]:
        """An image or a vector."""
        return (TensorType(self.shape, self.input),)

    @property
    def idle(self) -> int:
        """Integer on an idle output lane."""
        return self.output.zero_point

    @property
    def inputs(self) -> int:
        """Integers of the input."""
        return math.prod(self.shape)

    @property
    def outputs(self) -> int:
        """Integers of the output."""
        return self.inputs

    @property
    def shape_out(self) -> tuple[int, ...]:
        """Shape of the output: that of the input."""
        return self.shape

    @property
    def sizes(self) -> dict[str, int]:
        """Sizes of its hardware."""
        return {"lanes": self.lanes}

    @property
    def lanes_in(self) -> int:
        """Lanes of the input."""
        return self.lanes

    @property
    def lanes_out(self) -> int:
        """Lanes of the output."""
        return self.lanes
