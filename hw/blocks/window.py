"""Line buffer: a stream of pixels becomes a stream of windows."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from fxsim.hw.blocks.arith import equals, exceeds
from fxsim.hw.blocks.layouts import layout_of
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
        accept, row_done = Signal(), Signal()
        held = Signal(range(self._slots + 1))  # whole rows, of this image and the next
        column = Signal(range(windows.width + windows.padding), init=windows.padding)
        m.d.comb += [
            self.i.ready.eq(held != self._slots),
            accept.eq(self.i.valid & self.i.ready),
        ]
        word, pixel_done = _counter(m, accept, self._words, "write_word")
        row_bank, row_base = Signal(range(rows)), Signal(range(self._depth))
        start = divmod(windows.padding, columns)
        bank = Signal(range(columns), init=start[1])
        base = Signal(range(self._line), init=start[0] * self._words)
        m.d.comb += row_done.eq(pixel_done & (column == windows.width + windows.padding - 1))
        with m.If(pixel_done):
            m.d.sync += column.eq(column + 1)
            _step(m, bank, base, columns, self._line, 1, self._words)
        with m.If(row_done):
            m.d.sync += [
                column.eq(windows.padding),
                bank.eq(start[1]),
                base.eq(start[0] * self._words),
            ]
            _step(m, row_bank, row_base, rows, self._depth, 1, self._line)
        for k, port in enumerate(ports):
            here = equals(row_bank, k // columns) & equals(bank, k % columns)
            m.d.comb += [
                port.en.eq(accept & here),
                port.addr.eq(row_base + base + word),
                port.data.eq(self.i.payload),
            ]
        return held, column, row_done

    def _read(
        self, m: Module, ports: Sequence[memory.ReadPort], held: Signal, next_column: Signal
    ) -> Value:
        """Give out windows; returns how many rows are freed in this cycle."""
        windows, (rows, columns) = self._windows, self._taps
        tall, wide = windows.kernel
        stride, padding = windows.stride, windows.padding
        advance, present, issue = Signal(), Signal(), Signal()
        pipeline = Pipeline(m, self.o, advance)
        m.d.comb += issue.eq(advance & present)

        # From the inside out: parts of a pixel, columns and rows of the window, repeats, groups,
        # and the place of the window. Positions count from the corner of the padded image.
        # The numbers that make an address are kept, not multiplied.
        word, step = _counter(m, issue, self._config.group_words, "word")
        tap_column, done = _counter(m, step, wide // columns, "tap_column")
        tap_word = _offset(m, step, done, wide // columns, self._words, "tap_word")
        tap_row, step = _counter(m, done, tall // rows, "tap_row")
        tap_line = _offset(m, done, step, tall // rows, self._line, "tap_line")
        _, step = _counter(m, step, self._config.repeats, "repeat")
        _, done = _counter(m, step, windows.groups, "group")
        group_word = _offset(m, step, done, windows.groups, self._config.group_words, "group_word")
        window_column, row_done = _counter(m, done, windows.columns, "window_column")
        window_row, image_done = _counter(m, row_done, windows.rows, "window_row")
        left = Signal(range(windows.width + 2 * padding))
        top = Signal(range(windows.height + 2 * padding))

        # Where the window's corner lies: bank and address of its column and row.
        column_bank, column_base = Signal(range(columns)), Signal(range(self._line))
        with m.If(done):
            m.d.sync += left.eq(left + stride)
            _step(m, column_bank, column_base, columns, self._line, stride, self._words)
        origin = divmod(-padding % self._slots, rows)
        row_bank = Signal(range(rows), init=origin[1])
        row_base = Signal(range(self._depth), init=origin[0] * self._line)
        with m.If(row_done):
            m.d.sync += [left.eq(0), column_bank.eq(0), column_base.eq(0), top.eq(top + stride)]
            _step(m, row_bank, row_base, rows, self._depth, stride % self._slots, self._line)
        with m.If(image_done):
            m.d.sync += top.eq(0)
            rest = (windows.height - (windows.rows - 1) * stride) % self._slots
            _step(m, row_bank, row_base, rows, self._depth, rest, self._line)

        # A window is there when its last pixel is; see `Windows.row_plan`.
        plan = windows.row_plan()
        needs = Signal(range(self._slots + 1), init=plan[0][0])
        frees = Signal(range(self._slots + 1), init=plan[0][1])
        usual = max(plan, key=plan.count)
        with m.If(row_done), m.Switch(window_row):
            for row in range(windows.rows):
                following = plan[(row + 1) % windows.rows]
                if following != usual:
                    with m.Case(row):
                        m.d.sync += [needs.eq(following[0]), frees.eq(following[1])]
            with m.Default():
                m.d.sync += [needs.eq(usual[0]), frees.eq(usual[1])]
        ends_row = window_column == windows.columns - 1
        arrived = (next_column >= left + wide) & ~ends_row
        m.d.comb += present.eq((held >= needs) | ((held + 1 == needs) & arrived))

        # Addresses. Banks before the corner's hold pixels one step further on.
        step = tap_word + word + group_word
        lines = _wrapped(row_base + tap_line, self._depth)
        data = []
        for k, port in enumerate(ports):
            line, column = lines, column_base
            if rows > 1:
                further = _wrapped(row_base + self._line, self._depth)
                line = Mux(exceeds(row_bank, k // columns), further, row_base)
            if columns > 1:
                further = column_base + self._words
                column = Mux(exceeds(column_bank, k % columns), further, column_base)
            m.d.comb += [port.en.eq(advance), port.addr.eq(line + column + step)]
            data.append(Value.cast(port.data))

        # The pixels of a beat in order, those outside the image replaced.
        shift_row, shift_column = Signal.like(row_bank), Signal.like(column_bank)
        with m.If(advance):
            m.d.sync += [
                self.o.valid.eq(present),
                shift_row.eq(row_bank),
                shift_column.eq(column_bank),
            ]
        lines = [
            _rotated(data[row * columns : (row + 1) * columns], shift_column) for row in range(rows)
        ]
        flat = Cat(_rotated([Cat(line) for line in lines], shift_row))
        width = len(self.i.payload.as_value())
        bits = self._config.format.bits
        filling = Const(self._config.outside & ((1 << bits) - 1), bits)
        pixels = []
        for k in range(rows * columns):
            pixel = flat[k * width : (k + 1) * width]
            if padding:
                y = top + tap_row * rows + k // columns
                x = left + tap_column * columns + k % columns
                beyond = (y < padding) | (y >= windows.height + padding)
                beside = (x < padding) | (x >= windows.width + padding)
                outside = pipeline.register(beyond | beside, f"outside_{k}")
                pixel = Mux(outside, filling.replicate(self._config.i.lanes), pixel)
            pixels.append(pixel)
        m.d.comb += self.o.payload.eq(Cat(pixels))
        return Mux(row_done, frees, 0)


def _counter(m: Module, step: Value, count: int, name: str) -> tuple[Signal, Signal]:
    """Counter that moves with ``step``, and whether it steps from its last value to 0."""
    value, done = Signal(range(count), name=name), Signal(name=f"{name}_done")
    m.d.comb += done.eq(step & (value == count - 1))
    with m.If(step):
        m.d.sync += value.eq(Mux(done, 0, value + 1))
    return value, done


def _offset(m: Module, step: Value, done: Value, count: int, size: int, name: str) -> Signal:
    """Number that moves by ``size`` with ``step``, and back to 0 when that is ``done`` too."""
    value = Signal(range((count - 1) * size + 1), name=name)
    with m.If(step):
        m.d.sync += value.eq(Mux(done, 0, value + size))
    return value


def _wrapped(address: Value, depth: int) -> Value:
    """An address below twice the depth, brought below the depth."""
    return Mux(address >= depth, address - depth, address)


def _step(
    m: Module, bank: Signal, base: Signal, banks: int, depth: int, by: int, size: int
) -> None:
    """Move ``by`` rows or columns on, in memory that wraps; each fills ``size`` of a bank."""
    whole, part = divmod(by, banks)
    carry = bank + part >= banks
    moved = base + whole * size + Mux(carry, size, 0)
    m.d.sync += [
        bank.eq(Mux(carry, bank + part - banks, bank + part)),
        base.eq(_wrapped(moved, depth)),
    ]


def _rotated(parts: Sequence[Value], shift: Value) -> list[Value]:
    """Parts in cyclic order from number ``shift`` on."""
    rotated = []
    for k in range(len(parts)):
        value = parts[k]
        for turn in range(1, len(parts)):
            value = Mux(shift == turn, parts[(k + turn) % len(parts)], value)
        rotated.append(value)
    return rotated
