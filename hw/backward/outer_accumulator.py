"""Accumulators of an outer product in memory: read, add, saturate, write, once a cycle."""

from dataclasses import dataclass

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.arithmetic.formats import IntFormat
from fxsim.errors import ConfigError
from fxsim.hw.blocks.arith import saturate
from fxsim.hw.blocks.layouts import beat_of, shape_of
from fxsim.hw.skip.pairs import ZeroSkipConfig
from fxsim.network import Activation

COUNT_BITS = 32
"""Width of a number of vectors."""


@dataclass(frozen=True, kw_only=True)
class OuterConfig:
    """What an outer product of sparse gradients needs to know.

    Parameters
    ----------
    skip : ZeroSkipConfig
        Gradients d; ``issue`` is 1.
    inputs : int
        Values of a vector x.
    columns : int
        Values of x that are worked on at a time, and lanes of its beats.
    source : Activation
        Format and zero point of x.
    accumulator : IntFormat
        Of the sums, which saturate at every addition.

    Raises
    ------
    ConfigError
        If a size or format is out of range.
    """

    skip: ZeroSkipConfig
    inputs: int
    columns: int
    source: Activation
    accumulator: IntFormat

    def __post_init__(self) -> None:
        for key in ("inputs", "columns"):
            if getattr(self, key) < 1:
                raise ConfigError(f"{key} must be at least 1, not {getattr(self, key)}")
        if self.skip.issue != 1:
            raise ConfigError(f"issue must be 1, not {self.skip.issue}")
        if not self.accumulator.signed:
            raise ConfigError(f"accumulator must be signed, not {self.accumulator}")

    @property
    def tiles(self) -> int:
        """Beats of a vector x."""
        return -(-self.inputs // self.columns)

    @property
    def words(self) -> int:
        """Words of the memory, which are the beats that a drain puts out."""
        return self.skip.items * self.tiles


class OuterAccumulator(wiring.Component):
    """A[j, :] += d_j * (x[:] - zero point) for every pair (j, d_j), ``columns`` sums a cycle.

    A word of the memory holds ``columns`` accumulators of one row. The word of a pair is read, and
    written two cycles later; a pair of the next vector that needs it earlier gets it from the
    registers between, so repeated rows cost nothing. Reset clears the memory, word by word.

    Parameters
    ----------
    config : OuterConfig

    Members
    -------
    i : In(stream of groups, see `ZeroSkipConfig.group`)
        Each vector ``tiles`` times over. A group without a pair adds nothing.
    x : In(stream of ``columns`` activations)
        ``tiles`` beats a vector, each taken with the last group of its pass; lanes beyond the end
        of x are ignored.
    o : Out(stream of ``columns`` accumulators)
        After every ``vectors`` vectors the sums, row after row with ``tiles`` beats each, lanes
        beyond the end 0. They are cleared on the way.
    vectors : In(unsigned)
        At least 1; must hold still from reset on.

    One group a cycle, save during a drain, of `OuterConfig.words` beats. The first beat of a drain
    leaves `latency` cycles after the last group. Reset takes `OuterConfig.words` + 1 cycles.
    """

    latency = 5

    def __init__(self, config: OuterConfig):
        self._config = config
        super().__init__(
            {
                "i": In(stream.Signature(config.skip.group)),
                "x": In(stream.Signature(beat_of(config.source.format, config.columns))),
                "o": Out(stream.Signature(beat_of(config.accumulator, config.columns))),
                "vectors": In(COUNT_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        items, tiles, fmt = config.skip.items, config.tiles, config.accumulator
        m.submodules.sums = sums = memory.Memory(
            shape=beat_of(fmt, config.columns), depth=config.words, init=[]
        )
        read, write = sums.read_port(), sums.write_port()

        # Working, or sweeping over the memory: to drain it, or silently after reset.
        sweeping, silent = Signal(init=1), Signal(init=1)
        accept, ends, done = Signal(), Signal(), Signal(COUNT_BITS)
        base, tile = Signal(range(config.words)), Signal(range(max(tiles, 2)))
        last_tile = tile == tiles - 1
        m.d.comb += [
            self.i.ready.eq(~sweeping & self.x.valid),
            self.x.ready.eq(~sweeping & self.i.valid & self.i.payload.last),
            accept.eq(~sweeping & self.i.valid & self.x.valid),
            ends.eq(accept & self.i.payload.last & last_tile),
        ]
        with m.If(accept & self.i.payload.last):
            m.d.sync += [
                tile.eq(Mux(last_tile, 0, tile + 1)),
                base.eq(Mux(last_tile, 0, base + items)),
            ]
        full = ends & (done == self.vectors - 1)
        with m.If(ends):
            m.d.sync += done.eq(Mux(full, 0, done + 1))

        # Product, one cycle; read, the next; sum; write.
        stages = []  # valid and address of the groups on their way
        valid, address = accept, base + self.i.payload.pairs[0].index
        for k in range(4):
            stage = Signal(name=f"valid_{k}"), Signal(range(config.words), name=f"address_{k}")
            m.d.sync += [stage[0].eq(valid), stage[1].eq(address)]
            stages.append(stage)
            valid, address = stage
        reading, adding, writing, written = stages

        def follows(other: tuple[Signal, Signal]) -> Value:
            """Whether what ``other`` made is the word that is needed now."""
            return other[0] & (other[1] == adding[1])

        after_one, after_two = Signal(), Signal()
        m.d.comb += [after_one.eq(follows(writing)), after_two.eq(follows(written))]
        results = []
        for column in range(config.columns):
            x = self.x.payload[column] - config.source.zero_point
            first = Signal((self.i.payload.pairs[0].value * x).shape(), name=f"first_{column}")
            product = Signal(first.shape(), name=f"product_{column}")
            result = Signal(shape_of(fmt), name=f"result_{column}")
            former = Signal(shape_of(fmt), name=f"former_{column}")
            stored = Mux(after_two, former, read.data[column])
            total = Mux(after_one, result, stored) + product
            m.d.sync += [
                first.eq(self.i.payload.pairs[0].value * x),
                product.eq(first),
                result.eq(saturate(total, fmt.min, fmt.max)),
                former.eq(result),
            ]
            results.append(result)

        row, part = Signal(range(items)), Signal(range(max(tiles, 2)))
        place = Signal(range(config.words))  # row + part * items
        last_row, last_part = row == items - 1, part == tiles - 1
        step, idle, all_read = Signal(), Signal(), Signal()
        m.d.comb += [
            idle.eq(~(reading[0] | adding[0] | writing[0])),
            step.eq(sweeping & idle & ~all_read & (~self.o.valid | self.o.ready)),
            read.en.eq(reading[0] | step),
            read.addr.eq(Mux(reading[0], reading[1], place)),
            write.en.eq(writing[0] | step),
            write.addr.eq(Mux(writing[0], writing[1], place)),
        ]
        for column, result in enumerate(results):
            # A word is cleared in the cycle in which it is read.
            m.d.comb += write.data[column].eq(Mux(writing[0], result, 0))
            beyond = column >= config.inputs - (tiles - 1) * config.columns
            shown = read.data[column]
            if beyond:
                final = Signal(name=f"final_{column}")
                with m.If(step):
                    m.d.sync += final.eq(last_part)
                shown = Mux(final, 0, shown)
            m.d.comb += self.o.payload[column].eq(shown)
        with m.If(step):
            m.d.sync += [
                part.eq(Mux(last_part, 0, part + 1)),
                place.eq(Mux(last_part, row + 1, place + items)),
                row.eq(row + last_part),
            ]
            with m.If(last_part & last_row):
                m.d.sync += [row.eq(0), place.eq(0), all_read.eq(1)]
        with m.If(step | self.o.ready):
            m.d.sync += self.o.valid.eq(step & ~silent)
        with m.If(full):
            m.d.sync += sweeping.eq(1)
        with m.If(all_read & (~self.o.valid | self.o.ready)):
            m.d.sync += [sweeping.eq(0), silent.eq(0), all_read.eq(0)]
        return m
