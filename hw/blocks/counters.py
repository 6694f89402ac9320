"""Counters that move one another, and the addresses that move with them."""

from amaranth.hdl import Module, Mux, Signal, Value

from fxsim.hw.blocks.named import named


def counter(m: Module, step: Value, count: int, name: str) -> tuple[Signal, Signal]:
    """Counter that moves with ``step``, and whether it steps from its last value to 0."""
    value, done = Signal(range(count), name=name), Signal(name=f"{name}_done")
    m.d.comb += done.eq(step & (value == count - 1))
    with m.If(step):
        m.d.sync += value.eq(Mux(done, 0, value + 1))
    return value, done


def offset(m: Module, step: Value, done: Value, count: int, size: int, name: str) -> Signal:
    """Number that moves by ``size`` with ``step``, and back to 0 when that is ``done`` too."""
    value = Signal(range((count - 1) * size + 1), name=name)
    with m.If(step):
        m.d.sync += value.eq(Mux(done, 0, value + size))
    return value


def wrapped(m: Module, address: Value, depth: int, name: str) -> Signal:
    """An address below twice the depth, brought below the depth."""
    address = named(m, address, f"{name}_unwrapped")
    return named(m, Mux(address >= depth, address - depth, address), name)


class Place:
    """A row or column in memory that wraps: neighbours lie in different banks.

    Parameters
    ----------
    m : Module
    banks : int
    depth : int
        Words of a bank.
    size : int
        Words that a row or column fills.
    start : int
        Row or column in the beginning.
    name : str
        Start of the names of the signals.

    Attributes
    ----------
    bank, base : Signal
        Bank, and its first word of the row or column.
    """

    def __init__(self, m: Module, *, banks: int, depth: int, size: int, start: int, name: str):
        self._m, self._banks, self._depth, self._size, self._name = m, banks, depth, size, name
        base, bank = divmod(start, banks)
        self.bank = Signal(range(banks), init=bank, name=f"{name}_bank")
        self.base = Signal(range(depth), init=base * size, name=f"{name}_base")

    def step(self, when: Value, by: int = 1, why: str = "next") -> None:
        """Move ``by`` rows or columns on; ``why`` tells signals of several such steps apart."""
        m, name = self._m, f"{self._name}_{why}"
        whole, part = divmod(by, self._banks)
        bank = named(m, self.bank + part, f"{name}_bank")
        carry = named(m, bank >= self._banks, f"{name}_carry")
        moved = self.base + whole * self._size + Mux(carry, self._size, 0)
        base = wrapped(m, moved, self._depth, f"{name}_base")
        with m.If(when):
            m.d.sync += [
                self.bank.eq(Mux(carry, bank - self._banks, bank)),
                self.base.eq(base),
            ]

    def restart(self, when: Value) -> None:
        """Go back to the start; written after a step, it is stronger."""
        with self._m.If(when):
            self._m.d.sync += [
                self.bank.eq(self.bank.init),
                self.base.eq(self.base.init),
            ]
