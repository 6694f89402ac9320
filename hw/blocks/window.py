"""Line buffer: a stream of pixels becomes a stream of windows."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.hw.blocks.arith import equals, exceeds
from fxsim.hw.blocks.counters import Place, counter, offset, wrapped
from fxsim.hw.blocks.layouts import layout_of
from fxsim.hw.blocks.named import named
from fxsim.hw.blocks.pipeline import Pipeline
from fxsim.plan.window import WindowConfig


class Window(wiring.Component):
    """Windows of images that follow one another, with padding and stride.

    The last ``windows.stored_rows`` rows of pixels are held, in as many banks as a beat has pixels,
    so that the pixels of any beat are read at once: neighbours never share a bank. Rows are freed
    when no window needs them; pixels of the next image come in meanwhile.

    Parameters
    ----------
    config : WindowConfig

    Members
    -------
    i : In(stream of channels of a pixel)
        Pixels, row by row; a pixel takes channels / lanes beats.
    o : Out(stream of ``simd`` lanes)
        For each place each group's window, ``repeats`` times over: size / simd beats.

    Latency is 2 cycles from the last accepted pixel that a window needs to its first beat; one beat
    a cycle, without a bubble between windows, rows or images.
    """

    latency = 2

    def __init__(self, config: WindowConfig):
        self._config = config
        self._windows = config.windows
        self._taps = config.taps
        self._words = config.pixel_words
        self._line = config.line
        self._slots = config.slots
        self._depth = config.depth
        super().__init__(
            {
                "i": In(stream.Signature(layout_of(config.i))),
                "o": Out(stream.Signature(layout_of(config.o))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows, columns = self._taps
        banks = []
        for row in range(rows):
            for column in range(columns):
                bank = memory.Memory(shape=self.i.payload.shape(), depth=self._depth, init=[])
                m.submodules[f"bank{row}_{column}"] = bank
                banks.append(bank)
        held, column, row_done = self._write(m, [bank.write_port() for bank in banks])
        freed = self._read(m, [bank.read_port() for bank in banks], held, column)
        m.d.sync += held.eq(held + row_done - freed)
        return m

    def _write(self, m: Module, ports: Sequence[memory.WritePort]) -> tuple[Signal, Signal, Signal]:
        """Store pixels; returns the rows held, the column that comes next, and the end of a row."""
        windows, (rows, columns) = self._windows, self._taps
        accept = Signal()
        row_done = Signal()
        held = Signal(range(self._slots + 1))  # whole rows, of this image and the next
        start = windows.padding.left
        end = start + windows.width
        column = Signal(range(end), init=start)
        m.d.comb += [
            self.i.ready.eq(held != self._slots),
            accept.eq(self.i.valid & self.i.ready),
        ]
        word, pixel_done = counter(m, accept, self._words, "write_word")
        m.d.comb += row_done.eq(pixel_done & (column == end - 1))
        with m.If(pixel_done):
            m.d.sync += column.eq(Mux(row_done, start, column + 1))
        across = self._across(m, start, "write_column")
        across.step(pixel_done)
        across.restart(row_done)
        down = self._down(m, 0, "write_row")
        down.step(row_done)

        address = named(m, down.base + across.base + word, "write_address")
        in_row = [named(m, equals(down.bank, k), f"write_in_row{k}") for k in range(rows)]
        in_column = [
            named(m, equals(across.bank, k), f"write_in_column{k}") for k in range(columns)
        ]
        for k, port in enumerate(ports):
            here = in_row[k // columns] & in_column[k % columns]
            m.d.comb += [
                port.en.eq(accept & here),
                port.addr.eq(address),
                port.data.eq(self.i.payload),
            ]
        return held, column, row_done

    def _across(self, m: Module, start: int, name: str) -> Place:
        """Where a column of pixels is, from the left padding on."""
        banks, size = self._taps[1], self._words
        return Place(m, banks=banks, depth=self._line, size=size, start=start, name=name)

    def _down(self, m: Module, start: int, name: str) -> Place:
        """Where a row of pixels is."""
        banks, size = self._taps[0], self._line
        return Place(m, banks=banks, depth=self._depth, size=size, start=start, name=name)

    def _read(
        self, m: Module, ports: Sequence[memory.ReadPort], held: Signal, next_column: Signal
    ) -> Value:
        """Give out windows; returns how many rows are freed in this cycle."""
        advance = Signal()
        present = Signal()
        pipeline = Pipeline(m, self.o, advance)
        at = self._position(m, named(m, advance & present, "issue"))
        needs, frees = self._rows(m, at)
        # A window is there when its last pixel is.
        ends_row = at.column == self._windows.columns - 1
        arrived = (next_column >= at.left + self._windows.kernel[1]) & ~ends_row
        m.d.comb += present.eq((held >= needs) | ((held + 1 == needs) & arrived))
        for port, address in zip(ports, self._addresses(m, at), strict=True):
            m.d.comb += [port.en.eq(advance), port.addr.eq(address)]
        pixels = self._in_order(m, pipeline, at, [Value.cast(port.data) for port in ports])
        m.d.comb += self.o.payload.eq(Cat(self._padded(m, pipeline, at, pixels)))
        pipeline.end(present)
        return Mux(at.row_done, frees, 0)

    def _position(self, m: Module, issue: Value) -> "_Position":
        """Count from the inside out: parts of a pixel, columns and rows of the window, repeats,
        groups, and the place of the window.

        The numbers that make an address are kept, not multiplied.
        """
        config, windows, (rows, columns) = self._config, self._windows, self._taps
        (tall, wide), (down_by, across_by) = windows.kernel, windows.stride
        word, step = counter(m, issue, config.group_words, "word")
        tap_column, done = counter(m, step, wide // columns, "tap_column")
        tap_word = offset(m, step, done, wide // columns, self._words, "tap_word")
        tap_row, step = counter(m, done, tall // rows, "tap_row")
        tap_line = offset(m, done, step, tall // rows, self._line, "tap_line")
        _, step = counter(m, step, config.repeats, "repeat")
        _, done = counter(m, step, windows.groups, "group")
        group_word = offset(m, step, done, windows.groups, config.group_words, "group_word")
        column, row_done = counter(m, done, windows.columns, "window_column")
        row, image_done = counter(m, row_done, windows.rows, "window_row")

        left = Signal(range(windows.framed_width), name="left")
        top = Signal(range(windows.framed_height), name="top")
        with m.If(done):
            m.d.sync += left.eq(Mux(row_done, 0, left + across_by))
        with m.If(row_done):
            m.d.sync += top.eq(Mux(image_done, 0, top + down_by))
        across = self._across(m, 0, "column")
        across.step(done, across_by)
        across.restart(row_done)
        down = self._down(m, -windows.padding.top % self._slots, "row")
        down.step(row_done, down_by % self._slots)
        rest = (windows.height - (windows.rows - 1) * down_by) % self._slots
        down.step(image_done, rest, "image")
        return _Position(
            row=row,
            column=column,
            row_done=row_done,
            left=left,
            y=top + tap_row * rows,
            x=left + tap_column * columns,
            word=named(m, tap_word + word + group_word, "beat_word"),
            line=tap_line,
            down=down,
            across=across,
        )

    def _rows(self, m: Module, at: "_Position") -> tuple[Signal, Signal]:
        """Rows that the window needs, and those that are freed after it; see `Windows.row_plan`."""
        plan = self._windows.row_plan()
        needs = Signal(range(self._slots + 1), init=plan[0][0])
        frees = Signal(range(self._slots + 1), init=plan[0][1])
        usual = max(plan, key=plan.count)
        with m.If(at.row_done), m.Switch(at.row):
            for row in range(len(plan)):
                following = plan[(row + 1) % len(plan)]
                if following != usual:
                    with m.Case(row):
                        m.d.sync += [needs.eq(following[0]), frees.eq(following[1])]
            with m.Default():
                m.d.sync += [needs.eq(usual[0]), frees.eq(usual[1])]
        return needs, frees

    def _addresses(self, m: Module, at: "_Position") -> list[Value]:
        """Address in each bank; those before the corner's hold pixels one step further on."""
        rows, columns = self._taps
        if rows > 1:
            near, bank = at.down.base, at.down.bank
            further = wrapped(m, near + self._line, self._depth, "further_line")
            choices = [Mux(exceeds(bank, k), further, near) for k in range(rows)]
            lines = [named(m, line, f"line{k}") for k, line in enumerate(choices)]
        else:
            lines = [wrapped(m, at.down.base + at.line, self._depth, "line")]
        near, bank = at.across.base, at.across.bank
        choices = [near]
        if columns > 1:
            further = named(m, near + self._words, "further_column")
            choices = [Mux(exceeds(bank, k), further, near) for k in range(columns)]
        words = [named(m, choice + at.word, f"word{k}") for k, choice in enumerate(choices)]
        return [line + word for line in lines for word in words]

    def _in_order(
        self, m: Module, pipeline: Pipeline, at: "_Position", data: Sequence[Value]
    ) -> Signal:
        """Pixels of a beat, which begin at the bank of the corner."""
        rows, columns = self._taps
        turns = _turns(m, pipeline.register(at.across.bank, "shift_column"), columns, "column")
        lines = [
            _rotated(m, data[row * columns : (row + 1) * columns], turns, f"pixels{row}")
            for row in range(rows)
        ]
        turns = _turns(m, pipeline.register(at.down.bank, "shift_row"), rows, "row")
        return _rotated(m, lines, turns, "pixels")

    def _padded(
        self, m: Module, pipeline: Pipeline, at: "_Position", pixels: Signal
    ) -> list[Value]:
        """Pixels of a beat, those outside the image replaced."""
        config, windows, (rows, columns) = self._config, self._windows, self._taps
        padding, lanes, bits = windows.padding, config.i.lanes, config.format.bits
        if not any(padding):
            return [pixels]
        y, x = named(m, at.y, "y"), named(m, at.x, "x")
        (top, left, bottom, right), tall, wide = padding, windows.height, windows.width
        beyond = [_outside(m, y + k, (top, tall, bottom), f"y{k}") for k in range(rows)]
        beside = [_outside(m, x + k, (left, wide, right), f"x{k}") for k in range(columns)]
        filling = Const(config.outside & ((1 << bits) - 1), bits).replicate(lanes)
        padded = []
        for k in range(rows * columns):
            outside = beyond[k // columns] | beside[k % columns]
            outside = pipeline.register(outside, f"outside_{k}")
            pixel = pixels[k * lanes * bits : (k + 1) * lanes * bits]
            padded.append(Mux(outside, filling, pixel))
        return padded


@dataclass(frozen=True)
class _Position:
    """Where the window is, and the beat in it; counts from the corner of the padded image.

    Attributes
    ----------
    row, column : Signal
        Number of the window.
    row_done : Signal
        Whether the last window of a row leaves.
    left : Signal
        Left column of the window.
    y, x : Value
        Corner of the beat.
    word, line : Signal
        Address of the beat, counted from the window's corner: of its word, and of its row.
    down, across : Place
        Where the window's corner lies in the banks.
    """

    row: Signal
    column: Signal
    row_done: Signal
    left: Signal
    y: Value
    x: Value
    word: Signal
    line: Signal
    down: Place
    across: Place


def _outside(m: Module, place: Value, sizes: tuple[int, int, int], name: str) -> Value:
    """Whether a row or column of the padded image belongs to the padding: before, inside, after."""
    before, inside, after = sizes
    place = named(m, place, name)
    ends = [place < before] * (before > 0) + [place >= before + inside] * (after > 0)
    return named(m, reduce(or_, ends), f"{name}_outside") if ends else Const(0, 1)


def _turns(m: Module, shift: Value, count: int, name: str) -> list[Signal]:
    """Bits for shifts of 1, 2, ... below ``count``."""
    return [named(m, shift == turn, f"{name}_turn{turn}") for turn in range(1, count)]


def _rotated(m: Module, parts: Sequence[Value], turns: Sequence[Value], name: str) -> Signal:
    """Parts in cyclic order, from the number on whose bit in ``turns`` is set."""
    rotated = []
    for k, value in enumerate(parts):
        for turn, chosen in enumerate(turns, 1):
            value = Mux(chosen, parts[(k + turn) % len(parts)], value)
        rotated.append(value)
    return named(m, Cat(rotated), name)
