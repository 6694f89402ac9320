"""Names from user files must be safe in Verilog, in file systems, in shells and on screens."""

from __future__ import annotations

import re

from fxsim.errors import SpecError

_PATTERN = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")

# Three standards, each without the words of those before it.
_VERILOG = """
always and assign automatic begin buf bufif0 bufif1 case casex casez cell cmos config deassign
default defparam design disable edge else end endcase endconfig endfunction endgenerate
endmodule endprimitive endspecify endtable endtask event for force forever fork function
generate genvar highz0 highz1 if ifnone incdir include initial inout input instance integer join
large liblist library localparam macromodule medium module nand negedge nmos nor noshowcancelled
not notif0 notif1 or output parameter pmos posedge primitive pull0 pull1 pulldown pullup
pulsestyle_onevent pulsestyle_ondetect rcmos real realtime reg release repeat rnmos rpmos rtran
rtranif0 rtranif1 scalared showcancelled signed small specify specparam strong0 strong1 supply0
supply1 table task time tran tranif0 tranif1 tri tri0 tri1 triand trior trireg unsigned use
uwire vectored wait wand weak0 weak1 while wire wor xnor xor
"""  # IEEE 1364-2005

_SYSTEMVERILOG = """
accept_on alias always_comb always_ff always_latch assert assume before bind bins binsof bit
break byte chandle checker class clocking const constraint context continue cover covergroup
coverpoint cross dist do endchecker endclass endclocking endgroup endinterface endpackage
endprogram endproperty endsequence enum eventually expect export extends extern final
first_match foreach forkjoin global iff ignore_bins illegal_bins implements implies import
inside int interconnect interface intersect join_any join_none let local logic longint matches
modport nettype new nexttime null package packed priority program property protected pure rand
randc randcase randsequence ref reject_on restrict return s_always s_eventually s_nexttime
s_until s_until_with sequence shortint shortreal soft solve static string strong struct super
std sync_accept_on sync_reject_on tagged this throughout timeprecision timeunit type typedef union
unique unique0 until until_with untyped var virtual void wait_order weak wildcard with within
"""  # IEEE 1800-2017; std is its package, which Verilator takes for a module

_VHDL = """
abs access after all architecture array assertion assume_guarantee attribute block body buffer bus
component configuration constant disconnect downto elsif entity exit fairness file generic group
guarded impure in inertial is label linkage literal loop map mod next of on open others out port
postponed procedure process range record register reject rem report restrict_guarantee rol ror
select severity shared signal sla sll sra srl subtype then to transport unaffected units variable
vmode vprop vunit when
"""  # IEEE 1076-2008

_KEYWORDS = frozenset((_VERILOG + _SYSTEMVERILOG + _VHDL).split())


def printable(text: str, keep: str = "") -> str:
    """Text with escapes, as in Python, for what a terminal or a browser would obey and not show.

    These are control characters, ends of lines, changes of direction, and halves of surrogates;
    characters of ``keep`` stay.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text
    )


def check_identifier(name: str, what: str) -> str:
    """Return ``name`` when it is a safe identifier in Verilog, SystemVerilog and VHDL.

    Raises
    ------
    SpecError
        ``<what> must ...``.
    """
    if not _PATTERN.fullmatch(name):
        raise SpecError(
            f"{what} must start with a letter and hold at most 63 letters, digits or underscores,"
            f" not {name!r}"
        )
    if "__" in name or name.endswith("_"):
        raise SpecError(
            f"{what} must not end with an underscore or hold two in a row, not {name!r}"
        )
    if name.lower() in _KEYWORDS:
        raise SpecError(f"{what} must not be the keyword {name!r} of Verilog or VHDL")
    return name
