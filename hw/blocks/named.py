"""Values under a name, so that Verilog has them once."""

from amaranth.hdl import Module, Signal, Value, ValueLike


def named(m: Module, value: ValueLike, name: str) -> Signal:
    """Signal that is ``value``, of its shape.

    Amaranth emits an expression anew at each use, and all that it is made of: one that is used
    often, by others that are, fills the Verilog. The statement is part of the ``m.If`` around it.
    """
    value = Value.cast(value)
    signal = Signal(value.shape(), name=name)
    m.d.comb += signal.eq(value)
    return signal
