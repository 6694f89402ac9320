"""Shapes of what travels on streams: a beat of equal lanes."""

from amaranth.hdl import Shape, signed, unsigned
from amaranth.lib import data

from fxsim.arithmetic.codes import IntegerCode, TernaryCode, WeightCode
from fxsim.arithmetic.formats import IntFormat
from fxsim.plan.beat import Beat


def shape_of(fmt: IntFormat) -> Shape:
    """Amaranth shape of an integer format."""
    return signed(fmt.bits) if fmt.signed else unsigned(fmt.bits)


def stored_shape(code: WeightCode) -> Shape:
    """Shape of a stored weight: signed where it is two's complement, for shorter Verilog."""
    match code:
        case IntegerCode() | TernaryCode():
            return signed(code.bits)
        case _:
            return unsigned(code.bits)


def beat_of(fmt: IntFormat, lanes: int) -> data.ArrayLayout:
    """Payload of one beat: ``lanes`` integers of ``fmt``, lane 0 in the low bits."""
    return data.ArrayLayout(shape_of(fmt), lanes)


def layout_of(beat: Beat) -> data.ArrayLayout:
    """Payload of a beat as the plan has it."""
    return beat_of(beat.format, beat.lanes)
