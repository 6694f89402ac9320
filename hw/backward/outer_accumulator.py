"""Accumulators of an outer product in memory: read, add, saturate, write, once a cycle."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.arithmetic.formats import IntFormat
from fxsim.errors import ConfigError
from fxsim.hw.blocks.arith import saturate
from fxsim.hw.blocks.layouts import beat_of, shape_of
from fxsim.hw.blocks.memory_modules import ReadFirst
from fxsim.hw.skip.pairs import ZeroSkipConfig
from fxsim.network import Activation

COUNT_BITS = 32
"""Width of a number of vectors."""


@dataclass(frozen=True, kw_only=True)
class OuterConfig:
    """Configuration of an outer product of sparse gradients.

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


class _Stage(NamedTuple):
    """A group on its way."""

    valid: Value
    address: Value


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
        m.submodules.sums = sums = ReadFirst(
            shape=beat_of(config.accumulator, config.columns), depth=config.words, init=[]
        )
        read, write = sums.read_port(), sums.write_port()
        full = Signal()
        step = Signal()
        last = Signal()
        free = Signal()
        m.d.comb += free.eq(~self.o.valid | self.o.ready)

        # Reset and a drain sweep over the memory in the same way; only a drain shows what it reads.
        with m.FSM(init="CLEAR") as states:
            for sweep in ("CLEAR", "DRAIN"):
                with m.State(sweep), m.If(step & last):
                    m.next = "LEAVE"
            with m.State("LEAVE"), m.If(free):
                m.next = "WORK"
            with m.State("WORK"), m.If(full):
                m.next = "DRAIN"
        # Expressions, which no simulator leaves unknown until the state changes.
        works, shows = states.ongoing("WORK"), states.ongoing("DRAIN")
        sweeps = states.ongoing("CLEAR") | shows

        valid, address = self._take(m, works, full)
        stages = self._stages(m, valid, address)
        reading, adding, writing, _ = stages
        idle = ~(reading.valid | adding.valid | writing.valid)
        place, last_part = self._place(m, step, last)
        m.d.comb += [
            step.eq(sweeps & idle & free),
            read.en.eq(reading.valid | step),
            read.addr.eq(Mux(reading.valid, reading.address, place)),
            write.en.eq(writing.valid | step),
            write.addr.eq(Mux(writing.valid, writing.address, place)),
        ]
        final = Signal()  # the word that is shown is the last one of its row
        with m.If(step):
            m.d.sync += final.eq(last_part)
        filled = config.inputs - (config.tiles - 1) * config.columns  # lanes of such a word
        for column, result in enumerate(self._add(m, stages, read.data)):
            shown = read.data[column]
            m.d.comb += [
                # A word is cleared in the cycle in which it is read.
                write.data[column].eq(Mux(writing.valid, result, 0)),
                self.o.payload[column].eq(shown if column < filled else Mux(final, 0, shown)),
            ]
        with m.If(step | self.o.ready):
            m.d.sync += self.o.valid.eq(step & shows)
        return m

    def _take(self, m: Module, works: Value, full: Signal) -> tuple[Value, Value]:
        """Take groups and beats of x; returns if there is one, and the address of its word.

        ``full`` is driven: 1 with the last group of the last vector.
        """
        config = self._config
        tiles = config.tiles
        accept = Signal()
        ends = Signal()
        done = Signal(COUNT_BITS)
        base = Signal(range(config.words))
        tile = Signal(range(max(tiles, 2)))
        last_tile = tile == tiles - 1
        m.d.comb += [
            self.i.ready.eq(works & self.x.valid),
            self.x.ready.eq(works & self.i.valid & self.i.payload.last),
            accept.eq(works & self.i.valid & self.x.valid),
            ends.eq(accept & self.i.payload.last & last_tile),
            full.eq(ends & (done == self.vectors - 1)),
        ]
        with m.If(accept & self.i.payload.last):
            m.d.sync += [
                tile.eq(Mux(last_tile, 0, tile + 1)),
                base.eq(Mux(last_tile, 0, base + config.skip.items)),
            ]
        with m.If(ends):
            m.d.sync += done.eq(Mux(full, 0, done + 1))
        return accept, base + self.i.payload.pairs[0].index

    def _stages(self, m: Module, valid: Value, address: Value) -> list[_Stage]:
        """Groups on their way, which nothing stops: product; read, the next cycle; sum; write."""
        stages = []
        for k in range(4):
            stage = _Stage(
                Signal(name=f"valid_{k}"), Signal(range(self._config.words), name=f"address_{k}")
            )
            m.d.sync += [stage.valid.eq(valid), stage.address.eq(address)]
            stages.append(stage)
            valid, address = stage
        return stages

    def _add(self, m: Module, stages: Sequence[_Stage], word: Value) -> list[Value]:
        """Sum of each column: of the word that is read, or that was made a moment ago."""
        config, fmt = self._config, self._config.accumulator
        _, adding, writing, written = stages

        def made_by(stage: _Stage) -> Value:
            """1 if ``stage`` has made the word that is needed now."""
            return stage.valid & (stage.address == adding.address)

        after_one = Signal()
        after_two = Signal()
        m.d.comb += [after_one.eq(made_by(writing)), after_two.eq(made_by(written))]
        results = []
        for column in range(config.columns):
            x = self.x.payload[column] - config.source.zero_point
            exact = self.i.payload.pairs[0].value * x
            first = Signal(exact.shape(), name=f"first_{column}")
            product = Signal(exact.shape(), name=f"product_{column}")
            result = Signal(shape_of(fmt), name=f"result_{column}")
            former = Signal(shape_of(fmt), name=f"former_{column}")
            stored = Mux(after_two, former, word[column])
            total = Mux(after_one, result, stored) + product
            m.d.sync += [
                first.eq(exact),
                product.eq(first),
                result.eq(saturate(total, fmt.min, fmt.max)),
                former.eq(result),
            ]
            results.append(result)
        return results

    def _place(self, m: Module, step: Value, last: Signal) -> tuple[Value, Value]:
        """Address of a sweep, row after row, and if it is that of the last word of a row.

        ``last`` is driven: 1 at the last address.
        """
        config = self._config
        items, tiles = config.skip.items, config.tiles
        row = Signal(range(items))
        part = Signal(range(max(tiles, 2)))
        place = Signal(range(config.words))  # row + part * items
        last_part = part == tiles - 1
        m.d.comb += last.eq(last_part & (row == items - 1))
        with m.If(step):
            m.d.sync += [
                part.eq(Mux(last_part, 0, part + 1)),
                place.eq(Mux(last_part, row + 1, place + items)),
                row.eq(row + last_part),
            ]
            with m.If(last):
                m.d.sync += [row.eq(0), place.eq(0)]
        return place, last_part
