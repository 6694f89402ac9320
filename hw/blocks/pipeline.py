"""Registers of a block that move together: a pipeline that stalls as a whole."""

from __future__ import annotations

from amaranth.hdl import Module, Shape, Signal, Value, ValueLike
from amaranth.lib import stream


class Pipeline:
    """Stages of a block in front of its output stream.

    All stages move in the same cycles, those in which the output is empty or taken, so that a word
    takes as many of them as there are registers on its way. The methods add registers to ``m``.

    Parameters
    ----------
    m : Module
        Module of the block.
    o : stream.Interface
        Output stream of the block; the last stage is its register.
    advance : Signal
        Driven here: 1 in cycles in which the stages move. A block that takes a word in each of them
        connects it to ``ready`` of its input, and to ``en`` of the memories on the way. It is the
        block's own signal, so that it has the block's name for it in the Verilog.
    """

    def __init__(self, m: Module, o: stream.Interface, advance: Signal):
        self._m, self._o, self.advance = m, o, advance
        m.d.comb += advance.eq(~o.valid | o.ready)

    def register(self, value: ValueLike, name: str, shape: Shape | None = None) -> Signal:
        """Value of a stage before; it has no reset, since no one looks at it without ``valid``."""
        value = Value.cast(value)
        signal = Signal(shape or value.shape(), name=name, reset_less=True)
        with self._m.If(self.advance):
            self._m.d.sync += signal.eq(value)
        return signal

    def delay(self, value: ValueLike, cycles: int, name: str) -> Value:
        """Value of ``cycles`` stages before."""
        value = Value.cast(value)
        for k in range(cycles):
            value = self.register(value, f"{name}_{k}")
        return value

    def stages(self, count: int, valid: ValueLike, **others: ValueLike) -> list[tuple[Value, ...]]:
        """Valid, and the other values of a word, at the input and in ``count`` stages after it.

        Only valid has a reset. Registers are named after the values, ``valid_0`` and so on.
        """
        found = [tuple(map(Value.cast, (valid, *others.values())))]
        for k in range(count):
            stage = (
                Signal(name=f"valid_{k}"),
                *(
                    Signal(value.shape(), name=f"{name}_{k}", reset_less=True)
                    for name, value in zip(others, found[0][1:], strict=True)
                ),
            )
            with self._m.If(self.advance):
                moved = zip(stage, found[-1], strict=True)
                self._m.d.sync += [here.eq(before) for here, before in moved]
            found.append(stage)
        return found

    def end(self, valid: ValueLike) -> None:
        """Register of the output's ``valid``, the last one."""
        with self._m.If(self.advance):
            self._m.d.sync += self._o.valid.eq(valid)
