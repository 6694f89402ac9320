"""The place of the greatest of a vector's integers: the answer of a classifier."""

from __future__ import annotations

from dataclasses import dataclass

from fxsim.arithmetic.formats import IntFormat
from fxsim.arithmetic.tensors import Activation, set_int
from fxsim.errors import RangeError
from fxsim.names import check_identifier
from fxsim.network.linear import MAX_LANES
from fxsim.network.tensor_type import NO_TENSORS, NO_UNIT, TensorType


@dataclass(frozen=True, kw_only=True, eq=False)
class Argmax:
    """Index of the greatest integer, and the lowest index where several are the greatest.

    It is the last layer of a network. Zero point and scale of the input do not matter, as all
    items share them.

    Parameters
    ----------
    name : str
    input : Activation
    items : int
        Integers of a vector, 2 or more: the classes.
    lanes : int
        Integers that hardware compares at a time; they divide the items.

    Raises
    ------
    RangeError
        If there are fewer than 2 items, or the lanes do not divide them.
    """

    name: str
    input: Activation
    items: int
    lanes: int = 1

    # Answers of `LayerKind`.
    linears = adds = pools = lstms = ()
    state = probes = NO_TENSORS
    classifies, spatial, raw = True, False, False
    places, settling, unit, idle = 1, 0, NO_UNIT, 0

    def __post_init__(self) -> None:
        check_identifier(self.name, "name")
        try:
            set_int(self, "items", 2, 1 << 30)
            set_int(self, "lanes", 1, MAX_LANES)
            if self.items % self.lanes:
                raise RangeError(f"lanes must divide {self.items} items, not {self.lanes}")
        except RangeError as error:
            raise RangeError(f"{self.name}: {error}") from None

    @property
    def operands(self) -> tuple[TensorType, ...]:
        """A vector."""
        return (TensorType((self.items,), self.input),)

    @property
    def inputs(self) -> int:
        """Integers of an input vector."""
        return self.items

    @property
    def outputs(self) -> int:
        """One index."""
        return 1

    @property
    def shape_out(self) -> tuple[int, ...]:
        """Shape of the output."""
        return (1,)

    @property
    def output(self) -> Activation:
        """Unsigned, just wide enough for the greatest index; real and integer are the same."""
        bits = (self.items - 1).bit_length()
        return Activation(format=IntFormat(bits=bits, signed=False), scale=1.0)

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
        return 1
