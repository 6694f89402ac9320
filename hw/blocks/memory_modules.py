"""Modules that hold the memories of a design, so that others can be put in their place."""

from amaranth.hdl import C, Cat, ClockSignal, Fragment, Instance, Signal, Value
from amaranth.lib.memory import Memory

from fxsim.arithmetic.formats import MemoryStyle
from fxsim.hw.blocks.memory_styles import attributes_of
from fxsim.plan.memory import WeightMemory

_ROM = """
// Memory that is only read; $readmemh looks for FILE where the tool runs. A read takes a cycle.
`ifndef {name}
module {name} #(
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
  {attributes}
  reg [WIDTH-1:0] words [0:DEPTH-1];
  generate
    if (FILE != "") begin : fill
      initial $readmemh(FILE, words);
    end
  endgenerate
  always @(posedge clk) if (en) data <= words[address];
endmodule
`endif
"""

_RAM = """
// Memory with a port to write and one to read; a read takes a cycle, and its word stays until the
// next. Of a word that is written in the same cycle, what is read is the "new" or the "old" one, or
// does not matter ("any"). Nothing is known of a word before it is written.
`ifndef {name}
module {name} #(
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
  reg [WIDTH-1:0] words [0:DEPTH-1];
  always @(posedge clk) if (write) words[write_address] <= write_data;
  always @(posedge clk) if (read) begin
    read_data <= words[read_address];
    if (COLLISION == "new" && write && write_address == read_address) read_data <= write_data;
  end
endmodule
`endif
"""

_BLOCK = ", ".join(
    f'{name} = "{value}"' for name, value in attributes_of(MemoryStyle.BLOCK, written=False).items()
)


class ReadFirst(Memory):
    """Memory of which a word that is written while it is read gives the old one.

    With other memories that does not matter, and they cost less as macros.
    """


class MemoryModules:
    """Platform of Amaranth: memories of a design become instances of modules of its own.

    What is written to, and read by one port, is an instance of ``<top>__ram``; what a file fills,
    one of ``<top>__rom``. Neither name can be that of a network, layer or unit, which have no two
    underscores in a row, so designs of one project do not clash. Constants stay where they are
    used, as words in the Verilog.

    A macro of a module's name leaves the module out, for flows that bring their own.

    Parameters
    ----------
    top : str
        Name of the top module.
    """

    def __init__(self, top: str):
        self.top = top
        self.rom, self.ram = f"{top}__rom", f"{top}__ram"

    def get_memory(self, memory: Memory) -> Fragment:
        """What stands for a memory; the name of the method is Amaranth's."""
        if not _is_plain(memory):
            return memory.elaborate(None)
        (write,), (read,) = memory.write_ports, memory.read_ports
        return Instance(
            self.ram,
            p_WIDTH=len(Value.cast(read.data)),
            p_DEPTH=memory.depth,
            p_ADDRESS=len(_address(read.addr)),
            p_COLLISION=_collision(memory),
            i_clk=ClockSignal(read.domain),
            i_write=write.en,
            i_write_address=_address(write.addr),
            i_write_data=write.data,
            i_read=read.en,
            i_read_address=_address(read.addr),
            o_read_data=read.data,
        )

    def filled(self, content: WeightMemory, en: Signal, place: Signal, data: Signal) -> Fragment:
        """Memory that a file fills, with its port: ``data`` is the word of a cycle before."""
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
        modules = {self.rom: _ROM, self.ram: _RAM}
        used = (name for name in modules if f" {name} #(" in text)
        text = "".join(modules[name].replace("{name}", name) for name in used)
        return text.replace("{attributes}", f"(* {_BLOCK} *)")


def _address(value: Value) -> Value:
    """Address of at least a bit, as ports have it."""
    return Cat(value, C(0, not len(value)))


def _collision(memory: Memory) -> str:
    """What is read of a word that is written in the same cycle."""
    if memory.read_ports[0].transparent_for:
        return "new"
    return "old" if isinstance(memory, ReadFirst) else "any"


def _is_plain(memory: Memory) -> bool:
    """True if a memory has a port to write and one to read, and nothing in it after power-up."""
    writes, reads = memory.write_ports, memory.read_ports
    return (
        len(writes) == len(reads) == 1
        and len(writes[0].en) == 1
        and reads[0].domain == writes[0].domain
        and not any(memory.init)
    )
