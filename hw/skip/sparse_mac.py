"""Product of pairs and weights: ``rows`` x ``issue`` multiply-accumulate cells."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from fxsim.arithmetic.codes import code_of
from fxsim.arithmetic.formats import IntFormat, MemoryStyle
from fxsim.errors import ConfigError
from fxsim.hw.blocks.dots import dot
from fxsim.hw.blocks.layouts import beat_of, shape_of
from fxsim.hw.blocks.memory_modules import Preloaded
from fxsim.hw.blocks.memory_styles import attributes_of
from fxsim.hw.blocks.pipeline import Pipeline
from fxsim.hw.skip.pairs import ZeroSkipConfig
from fxsim.network import Folding, IntArray
from fxsim.network.skip_unit import product_accumulator
from fxsim.plan.memory import WeightMemory


@dataclass(frozen=True, kw_only=True, eq=False)
class SparseMacConfig:
    """Configuration of a `SparseMac`.

    Parameters
    ----------
    skip : ZeroSkipConfig
        Gradients, and how their zeros are skipped.
    rows : int
        Outputs that are computed at a time. Prefer many rows to many pairs a cycle: they lose
        nothing at the end of a vector, and the weight memory needs one read port only.
    weight : IntFormat
    weights : int64 array, shape (items, outputs)
    loadable : bool
        Whether ``weights`` are only those after power-up, and others may be written.
    dsp : bool
        Whether multipliers are meant for DSP blocks or for LUTs.
    memory : MemoryStyle
        What the weight memory is made of.
    name : str
        Of the matrix.

    Raises
    ------
    ConfigError
        If a size or a width is out of range.
    """

    skip: ZeroSkipConfig
    rows: int
    weight: IntFormat
    weights: IntArray = field(repr=False)
    loadable: bool = False
    dsp: bool = True
    memory: MemoryStyle = MemoryStyle.AUTO
    name: str = "sparse_mac"

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise ConfigError(f"rows must be at least 1, not {self.rows}")
        if self.weights.ndim != 2 or len(self.weights) != self.skip.items or not self.weights.size:
            raise ConfigError(
                f"weights must have shape ({self.skip.items}, outputs), not {self.weights.shape}"
            )
        if not self.weight.holds(int(self.weights.min()), int(self.weights.max())):
            raise ConfigError(f"weights must be in {self.weight}")

    @property
    def outputs(self) -> int:
        """Values of an output vector."""
        return int(self.weights.shape[1])

    @property
    def tiles(self) -> int:
        """Groups of ``rows`` outputs."""
        return -(-self.outputs // self.rows)

    @cached_property
    def accumulator(self) -> IntFormat:
        """Smallest format that the weights cannot overflow, whatever the gradients are.

        With ``loadable``, those are all weights of their format.
        """
        return product_accumulator(
            self.weights, self.weight, self.skip.gradient, loadable=self.loadable
        )

    @cached_property
    def content(self) -> WeightMemory:
        """Weight memory, as the file of one that is loadable has it."""
        code = code_of(self.weight)
        layout = Folding(rows=self.rows, simd=1, pad=True, memory=self.memory)
        memory = WeightMemory.holding(
            self.weights.T, code, layout, self.name, loadable=self.loadable
        )
        return replace(memory, style=self.memory)

    @cached_property
    def weight_words(self) -> list[list[int]]:
        """Memory content: for each tile, for each index, ``rows`` weights."""
        padded = np.zeros((self.skip.items, self.tiles * self.rows), np.int64)
        padded[:, : self.outputs] = self.weights
        words = padded.reshape(self.skip.items, self.tiles, self.rows).swapaxes(0, 1)
        return words.reshape(-1, self.rows).tolist()


class SparseMac(wiring.Component):
    """Array of ``rows`` sums of value times weight, where each pair picks its weights by index.

    A word of the weight memory holds the weights of one index for all rows, so that every row is a
    bank of its own and pairs never compete for one. Each of the ``issue`` pairs has a read port and
    a register after it; without that one block RAM would set the clock.

    Parameters
    ----------
    config : SparseMacConfig

    Members
    -------
    i : In(stream of groups, see `ZeroSkipConfig.group`)
        Each vector ``tiles`` times over.
    o : Out(stream of ``rows`` accumulators)
        One beat for each tile; rows beyond the last output are 0.
    weights : In(stream of ``rows`` weights)
        With ``loadable`` only: the words of the weight memory one after another, over and over.
        What is read of a word while it is written is unknown.

    Latency is `latency` cycles from a tile's last group to its output; one group a cycle, without a
    bubble between tiles or vectors.
    """

    def __init__(self, config: SparseMacConfig):
        self._config = config
        self._dots = [
            dot(
                code=code_of(config.weight),
                activation=shape_of(config.skip.gradient),
                simd=config.skip.issue,
                dsp=config.dsp,
            )
            for _ in range(config.rows)
        ]
        members = {
            "i": In(stream.Signature(config.skip.group)),
            "o": Out(stream.Signature(beat_of(config.accumulator, config.rows))),
        }
        if config.loadable:
            members["weights"] = In(stream.Signature(beat_of(config.weight, config.rows)))
        super().__init__(members)

    @property
    def latency(self) -> int:
        """Cycles from a tile's last group to its output."""
        return self._dots[0].latency + 3

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, issue = self._config, self._config.skip.issue
        items, depth = config.skip.items, config.content.depth
        advance = Signal()
        accept = Signal()
        first = Signal(init=1)
        pipeline = Pipeline(m, self.o, advance)
        m.d.comb += [
            self.i.ready.eq(advance),
            accept.eq(self.i.valid & advance),
        ]
        base = Signal(range(depth))  # first word of the tile
        with m.If(accept):
            m.d.sync += first.eq(self.i.payload.last)
            with m.If(self.i.payload.last):
                m.d.sync += base.eq(Mux(base == depth - items, 0, base + items))

        shape = ArrayLayout(shape_of(config.weight), config.rows)
        m.submodules.weights = weights = (
            Preloaded(config.content, shape)
            if config.loadable
            else memory.Memory(
                shape=shape,
                depth=depth,
                init=config.weight_words,
                attrs=attributes_of(config.memory, written=False),
            )
        )
        if config.loadable:
            place = Signal(range(depth))
            write = weights.write_port()
            m.d.comb += [
                self.weights.ready.eq(1),
                write.en.eq(self.weights.valid),
                write.addr.eq(place),
                write.data.eq(self.weights.payload),
            ]
            with m.If(self.weights.valid):
                m.d.sync += place.eq(Mux(place == depth - 1, 0, place + 1))
        ports = [weights.read_port() for _ in range(issue)]
        words = [
            Signal(port.data.shape(), name=f"word_{lane}", reset_less=True)
            for lane, port in enumerate(ports)
        ]
        waiting, values = (
            Signal(ArrayLayout(shape_of(config.skip.gradient), issue), name=name, reset_less=True)
            for name in ("waiting", "values")
        )
        for lane, port in enumerate(ports):
            pair = self.i.payload.pairs[lane]
            m.d.comb += [port.en.eq(advance), port.addr.eq(base + pair.index)]
            with m.If(advance):
                m.d.sync += [
                    words[lane].eq(port.data),
                    waiting[lane].eq(pair.value),
                    values[lane].eq(waiting[lane]),
                ]

        # Flags of a group travel next to the data, through weight memory and dot product.
        cycles = 2 + self._dots[0].latency
        stages = pipeline.stages(cycles, accept, first=first, last=self.i.payload.last)
        valid, starts, ends = stages[-1]

        for row, unit in enumerate(self._dots):
            m.submodules[f"row{row}"] = unit
            accumulator = Signal(
                shape_of(config.accumulator), name=f"accumulator_{row}", reset_less=True
            )
            m.d.comb += [
                unit.en.eq(advance),
                unit.activation.eq(values),
                self.o.payload[row].eq(accumulator),
                *(unit.weight[lane].eq(word[row]) for lane, word in enumerate(words)),
            ]
            with m.If(advance & valid):
                m.d.sync += accumulator.eq(Mux(starts, 0, accumulator) + unit.sum)
        pipeline.end(valid & ends)
        return m
