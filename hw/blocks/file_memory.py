"""A read-only memory that a file fills, and a checksum of what is read from it."""

from functools import reduce
from operator import xor

from amaranth.hdl import C, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fxsim.hw.blocks.memory_modules import MemoryModules
from fxsim.plan.memory import CHECKSUM_BITS, POLYNOMIAL, WeightMemory


class FileMemory(wiring.Component):
    """Block RAM with the words of a `fxsim.plan.memory.WeightMemory`, filled by ``$readmemh``.

    A file that is missing, short or damaged must not go unnoticed. So the words are summed up on
    their way out, each pass over the memory again: nothing waits for it, and damage at run time is
    found as well.

    Parameters
    ----------
    content : WeightMemory

    Members
    -------
    en : In(1)
        Whether to read.
    counts : In(1)
        Whether the word of this read belongs to a pass. Those that do go through all addresses in
        order, again and again.
    address : In
    data : Out
        The word, one cycle later.
    checksum : Out(32)
        `fxsim.plan.memory.checksum` of the last whole pass.
    checked : Out(1)
        Whether there was one.

    Latency is 1 cycle to ``data`` and 3 from the read of the last word to ``checksum``.
    """

    def __init__(self, content: WeightMemory):
        self.content = content
        super().__init__(
            {
                "en": In(1),
                "counts": In(1),
                "address": In(range(content.depth)),
                "data": Out(content.width),
                "checksum": Out(CHECKSUM_BITS),
                "checked": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        assert isinstance(platform, MemoryModules)
        m = Module()
        content = self.content
        m.submodules.rom = platform.constant(content, self.en, self.address, self.data)
        # Beside the data: was the word counted, is it the last of a pass.
        read = Signal(2)
        ends = Signal(2)
        folded = Signal(CHECKSUM_BITS, reset_less=True)
        state = Signal(CHECKSUM_BITS)
        parts = [
            self.data[start : start + CHECKSUM_BITS]
            for start in range(0, content.width, CHECKSUM_BITS)
        ]
        step = Cat(C(0, 1), state[:-1]) ^ Mux(state[-1], POLYNOMIAL, 0) ^ folded
        m.d.sync += [
            read.eq(Cat(self.en & self.counts, read)),
            ends.eq(Cat(self.address == content.depth - 1, ends)),
            folded.eq(reduce(xor, parts)),
        ]
        with m.If(read[1]):
            m.d.sync += state.eq(Mux(ends[1], 0, step))
            with m.If(ends[1]):
                m.d.sync += [self.checksum.eq(step), self.checked.eq(1)]
        return m
