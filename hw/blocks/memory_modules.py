"""Modules that hold the memories of a design, so that others can be put in their place."""

from collections.abc import Iterator

from amaranth.hdl import (
    C,
    Cat,
    ClockSignal,
    Elaboratable,
    Instance,
    Module,
    ShapeLike,
    Signal,
    Value,
)
from amaranth.lib.memory import Memory, ReadPort

from fxsim.arithmetic.formats import MemoryStyle
from fxsim.hw.blocks.memory_styles import attributes_of
from fxsim.plan.memory import WeightMemory

_FILL = """\
  generate
    if (FILE != "") begin : fill
      initial $readmemh(FILE, words);
    end
  endgenerate
"""

_ROM = f"""
// Memory that is only read; $readmemh looks for FILE where the tool runs. A read takes a cycle.
`ifndef NAME
module NAME #(
  parameter FILE = "",
  parameter WIDTH = 1,
  parameter DEPTH = 1,
  parameter ADDRESS = 1
) (
  input clk,
  input en,
  input [ADDRESS-1:0] address,
  output reg [WIDTH-1:0] data
);
ATTRIBUTES  reg [WIDTH-1:0] words [0:DEPTH-1];
{_FILL}  always @(posedge clk) if (en) data <= words[address];
endmodule
`endif
"""

_RAM = f"""
// Memory with a port to write and one to read; a read takes a cycle, and its word stays until the
// next. Of a word that is written in the same cycle, what is read is the "new" or the "old" one, or
// does not matter ("any"). Without a FILE, nothing is known of a word before it is written.
`ifndef NAME
module NAME #(
  parameter FILE = "",
  parameter WIDTH = 1,
  parameter DEPTH = 1,
  parameter ADDRESS = 1,
  parameter COLLISION = "any"
) (
  input clk,
  input write,
  input [ADDRESS-1:0] write_address,
  input [WIDTH-1:0] write_data,
  input read,
  input [ADDRESS-1:0] read_address,
  output reg [WIDTH-1:0] read_data
);
ATTRIBUTES  reg [WIDTH-1:0] words [0:DEPTH-1];
{_FILL}  always @(posedge clk) if (write) words[write_address] <= write_data;
  always @(posedge clk) if (read) begin
    read_data <= words[read_address];
    if (COLLISION == "new" && write && write_address == read_address) read_data <= write_data;
  end
endmodule
`endif
"""

_REGISTER_FILE = """
// Memory with a port to write and one to read, whose word is there within the cycle.
`ifndef NAME
module NAME #(
  parameter WIDTH = 1,
  parameter DEPTH = 1,
  parameter ADDRESS = 1
) (
  input clk,
  input write,
  input [ADDRESS-1:0] write_address,
  input [WIDTH-1:0] write_data,
  input [ADDRESS-1:0] read_address,
  output [WIDTH-1:0] read_data
);
  reg [WIDTH-1:0] words [0:DEPTH-1];
  always @(posedge clk) if (write) words[write_address] <= write_data;
  assign read_data = words[read_address];
endmodule
`endif
"""


class ReadFirst(Memory):
    """Memory of which a word that is written while it is read gives the old one.

    With other memories that does not matter, and they cost less as macros.
    """


class Preloaded(Memory):
    """Memory that holds the words of ``content`` after power-up, by a file.

    Parameters
    ----------
    content : WeightMemory
    shape : ShapeLike
        Of a word.
    """

    def __init__(self, content: WeightMemory, shape: ShapeLike):
        super().__init__(shape=shape, depth=content.depth, init=[])
        self.content = content


class MemoryModules:
    """Platform of Amaranth: memories of a design become instances of modules of its own.

    What is written to is an instance of ``<top>__ram`` for each port that reads, with ``_block`` or
    ``_distributed`` after it where a style is asked for, or of ``<top>__register_file`` where it is
    read within a cycle; a constant that a file fills is one of ``<top>__rom``. No network, layer or
    unit may have two underscores in a row, so designs of one project do not clash. Constants
    without a file are logic, where they are used. Only those with attributes remain memories, for
    these to belong to.

    A macro of a module's name leaves the module out, for flows that bring their own.

    Parameters
    ----------
    top : str
        Name of the top module.
    """

    def __init__(self, top: str):
        self.top = top
        self.rom = f"{top}__rom"
        self.register_file = f"{top}__register_file"

    def ram(self, style: MemoryStyle) -> str:
        """Name of the module of memories that are written to."""
        return f"{self.top}__ram" + ("" if style is MemoryStyle.AUTO else f"_{style}")

    def get_memory(self, memory: Memory) -> Elaboratable:
        """What stands for a memory; the name of the method is Amaranth's."""
        if not memory.write_ports and not memory.attrs:
            return _logic(memory)
        if not memory.write_ports:
            return memory.elaborate(None)
        copies = [self._written(memory, read) for read in memory.read_ports]
        if len(copies) == 1:
            return copies[0]
        m = Module()
        for k, copy in enumerate(copies):
            m.submodules[f"copy{k}"] = copy
        return m

    def _written(self, memory: Memory, read: ReadPort) -> Instance:
        """Memory with a port to write and one to read; none has contents but by a file."""
        (write,) = memory.write_ports
        assert len(write.en) == 1
        assert not any(memory.init)
        facts: dict[str, object] = {
            "p_WIDTH": len(Value.cast(read.data)),
            "p_DEPTH": memory.depth,
            "p_ADDRESS": len(_address(read.addr)),
            "i_clk": ClockSignal(write.domain),
            "i_write": write.en,
            "i_write_address": _address(write.addr),
            "i_write_data": write.data,
            "i_read_address": _address(read.addr),
            "o_read_data": read.data,
        }
        if read.domain == "comb":
            return Instance(self.register_file, **facts)
        assert read.domain == write.domain
        content = memory.content if isinstance(memory, Preloaded) else None
        collision = "old" if isinstance(memory, ReadFirst) else "any"
        facts |= {
            "p_COLLISION": "new" if read.transparent_for else collision,
            "i_read": read.en,
        }
        if content:
            facts["p_FILE"] = content.file(self.top)
        return Instance(self.ram(content.style if content else MemoryStyle.AUTO), **facts)

    def constant(self, content: WeightMemory, en: Value, place: Value, data: Value) -> Instance:
        """Constant that a file fills, with its port: ``data`` is the word of a cycle before."""
        return Instance(
            self.rom,
            p_FILE=content.file(self.top),
            p_WIDTH=content.width,
            p_DEPTH=content.depth,
            p_ADDRESS=len(_address(place)),
            i_clk=ClockSignal(),
            i_en=en,
            i_address=_address(place),
            o_data=data,
        )

    def verilog(self, text: str) -> str:
        """Verilog of those modules that ``text`` has instances of."""
        return "".join(
            template.replace("NAME", name).replace("ATTRIBUTES", _attributes(style, template))
            for name, style, template in self._modules()
            if f" {name} #(" in text
        )

    def _modules(self) -> Iterator[tuple[str, MemoryStyle, str]]:
        yield self.rom, MemoryStyle.BLOCK, _ROM
        yield self.register_file, MemoryStyle.AUTO, _REGISTER_FILE
        for style in MemoryStyle:
            yield self.ram(style), style, _RAM


def _attributes(style: MemoryStyle, template: str) -> str:
    """Line of attributes, if any."""
    found = attributes_of(style, written=template is _RAM)
    pairs = ", ".join(f'{name} = "{value}"' for name, value in found.items())
    return f"  (* {pairs} *)\n" if pairs else ""


def _logic(memory: Memory) -> Module:
    """Constant as logic: a choice of words, and a register; beyond the last word is the last."""
    m = Module()
    *words, last = (C(value, memory.shape) for value in memory.init)
    for k, port in enumerate(memory.read_ports):
        data = Value.cast(port.data)
        word = Signal(len(data), name=f"word_{k}")
        read = Signal(len(data), name=f"read_{k}", reset_less=True)
        m.d.comb += data.eq(read)
        with m.Switch(_address(port.addr)):
            for address, value in enumerate(words):
                with m.Case(address):
                    m.d.comb += word.eq(value)
            with m.Default():
                m.d.comb += word.eq(last)
        with m.If(port.en):
            m.d[port.domain] += read.eq(word)
    return m


def _address(value: Value) -> Value:
    """Address of at least a bit, as ports have it."""
    return Cat(value, C(0, not len(value)))
