"""Matrix product: ``rows`` x ``simd`` x ``columns`` multiply-accumulate cells and their weights."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import memory, stream, wiring
from amaranth.lib.data import ArrayLayout, View
from amaranth.lib.wiring import In, Out

from fxsim.arithmetic.formats import AccumulatorMode
from fxsim.hw.blocks.arith import is_zero, saturate
from fxsim.hw.blocks.dots import dot
from fxsim.hw.blocks.file_memory import FileMemory
from fxsim.hw.blocks.layouts import layout_of, shape_of, stored_shape
from fxsim.hw.blocks.memory_modules import Preloaded
from fxsim.hw.blocks.memory_styles import attributes_of
from fxsim.hw.blocks.pipeline import Pipeline
from fxsim.plan.mac_array import MacArrayConfig


class MacArray(wiring.Component):
    """Array of ``rows`` dot products of ``simd`` lanes, for each column, with weights in a memory.

    For each tile of ``rows`` outputs it takes one vector of ``beats`` beats (`VectorBuffer` repeats
    the vector for every tile). The products of a beat are summed exactly and added to the
    accumulators, which start from the bias and treat overflow once per beat. With several columns
    it takes as many vectors at a time, lane k of column c in lane ``k * columns + c``; they share
    every word of weights.

    Parameters
    ----------
    config : MacArrayConfig

    Members
    -------
    i : In(stream of ``simd`` x ``columns`` activations)
    o : Out(stream of ``rows`` x ``columns`` accumulators)
        One beat for each tile; rows beyond the last output are 0.
    weights : In(stream of words of the weight memory)
        With ``loadable`` only: all words one after another, over and over; always ready. The
        product of a vector that is inside meanwhile is that of a mixture.

    ``memories`` has the `FileMemory` of the weights if they are read from a file.

    Latency is `latency` cycles from a tile's last input beat to its output; one input beat a cycle,
    without a bubble between tiles or vectors.
    """

    def __init__(self, config: MacArrayConfig):
        self._config = config
        self._dots = [
            dot(
                code=config.code,
                activation=shape_of(config.activation),
                simd=config.simd,
                dsp=config.dsp,
            )
            for _ in range(config.rows * config.columns)
        ]
        self.memories = [FileMemory(config.content)] if config.content.checked else []
        members = {
            "i": In(stream.Signature(layout_of(config.i))),
            "o": Out(stream.Signature(layout_of(config.o))),
        }
        if config.loadable:
            members["weights"] = In(stream.Signature(config.content.width))
        super().__init__(members)

    @property
    def latency(self) -> int:
        """Cycles from a tile's last input beat to its output."""
        return self._dots[0].latency + 2 + self._config.content.registered

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        advance = Signal()
        pipeline = Pipeline(m, self.o, advance)
        m.d.comb += self.i.ready.eq(advance)

        address, place = self._place(m, self.i.valid & advance)
        weight = self._weights(m, self.i.valid, advance, address)
        activation = pipeline.register(self.i.payload, "activation")
        if config.content.registered:
            weight = pipeline.register(weight, "weight")
            activation = pipeline.register(activation, "activation_late")
        weight = View(_weight_shape(config), weight)
        activation = View(layout_of(config.i), activation)

        # The place travels next to the data, through weight memory and dot product.
        count = self.latency - 1
        stages = pipeline.stages(count, self.i.valid & self.i.ready, **place)
        bias = self._biases(m, advance, stages[-2][3])
        valid, first, last, _ = stages[-1]
        for lane, unit in enumerate(self._dots):
            row, column = divmod(lane, config.columns)
            m.submodules[f"row{row}" if config.columns == 1 else f"row{row}_column{column}"] = unit
            accumulator = Signal(shape_of(config.accumulator), name=f"accumulator_{lane}")
            exact = Mux(first, bias[row], accumulator) + unit.sum
            if config.mode is AccumulatorMode.SATURATE:
                exact = saturate(exact, config.accumulator.min, config.accumulator.max)
            m.d.comb += [
                unit.en.eq(advance),
                unit.activation.eq(
                    Cat(activation[k * config.columns + column] for k in range(config.simd))
                ),
                unit.weight.eq(weight[row]),
                self.o.payload[lane].eq(accumulator),
            ]
            with m.If(advance & valid):
                m.d.sync += accumulator.eq(exact)
        pipeline.end(valid & last)
        return m

    def _place(self, m: Module, taken: Value) -> tuple[Signal, dict[str, Value]]:
        """Address of the weights of the next beat; its place in the tile, and its tile."""
        config = self._config
        tile = Signal(range(config.tiles))
        beat = Signal(range(config.beats))
        first = Signal()
        last = Signal()
        m.d.comb += [first.eq(is_zero(beat)), last.eq(beat == config.beats - 1)]
        address = Signal(range(config.tiles * config.beats))
        with m.If(taken):
            m.d.sync += [address.eq(address + 1), beat.eq(Mux(last, 0, beat + 1))]
            with m.If(last):
                m.d.sync += tile.eq(tile + 1)
                with m.If(tile == config.tiles - 1):
                    m.d.sync += [tile.eq(0), address.eq(0)]
        return address, {"first": first, "last": last, "tile": tile}

    def _biases(self, m: Module, advance: Value, tile: Value) -> View | list[Const]:
        """Start values of a tile, a cycle after its number; constants where tiles do not differ."""
        config = self._config
        words = config.bias_words
        if not config.bias_varies:
            return [Const(value, shape_of(config.accumulator)) for value in words[0]]
        m.submodules.biases = biases = memory.Memory(
            shape=ArrayLayout(shape_of(config.accumulator), config.rows),
            depth=config.tiles,
            init=words,
        )
        port = biases.read_port()
        m.d.comb += [port.en.eq(advance), port.addr.eq(tile)]
        return port.data

    def _weights(self, m: Module, valid: Value, advance: Value, address: Value) -> Value:
        """Word of weights of a beat, a cycle after its address."""
        config = self._config
        content = config.content
        if self.memories:
            (weights,) = self.memories
            m.submodules.weights = weights
            m.d.comb += [
                weights.en.eq(advance),
                weights.counts.eq(valid),
                weights.address.eq(address),
            ]
            return weights.data
        m.submodules.weights = weights = (
            Preloaded(content, content.width)
            if config.loadable
            else memory.Memory(
                shape=content.width,
                depth=content.depth,
                init=content.words,
                attrs=attributes_of(content.style, written=False),
            )
        )
        port = weights.read_port()
        m.d.comb += [port.en.eq(advance), port.addr.eq(address)]
        if config.loadable:
            self._load(m, weights)
        return Value.cast(port.data)

    def _load(self, m: Module, weights: memory.Memory) -> None:
        """Write the words that come in, from the first on."""
        depth = self._config.content.depth
        place = Signal(range(depth))
        port = weights.write_port()
        m.d.comb += [
            self.weights.ready.eq(1),
            port.en.eq(self.weights.valid),
            port.addr.eq(place),
            port.data.eq(self.weights.payload),
        ]
        with m.If(self.weights.valid):
            m.d.sync += place.eq(Mux(place == depth - 1, 0, place + 1))


def _weight_shape(config: MacArrayConfig) -> ArrayLayout:
    """A word of the weight memory, by row and lane."""
    return ArrayLayout(ArrayLayout(stored_shape(config.code), config.simd), config.rows)
