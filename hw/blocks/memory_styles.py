"""Attributes of memories by which synthesizers choose their cells."""

from fxsim.arithmetic.formats import MemoryStyle


def attributes_of(style: MemoryStyle, *, written: bool) -> dict[str, str]:
    """Attributes of a memory that is to be made of ``style``; AUTO needs none.

    Vivado knows ``ram_style`` and ``rom_style``, and Yosys reads these first. Quartus knows
    ``ramstyle`` and ``romstyle``, with no value that means block RAM in every family: a name such
    as M20K is ignored, with a warning, by families of another (Quartus Prime Standard Edition User
    Guide: Design Compilation, 3.5.6). So there is none for it: what is meant for block RAM is large
    enough to become it by itself.

    Small memories are LUTs in ``logic`` where they are constant, else an MLAB, which families
    without one ignore. What is read of a word while it is written does not matter.
    """
    if style is MemoryStyle.AUTO:
        return {}
    found = {"ram_style": str(style), "rom_style": str(style)}
    if style is MemoryStyle.DISTRIBUTED:
        found |= (
            {"ramstyle": "MLAB, no_rw_check"}
            if written
            else {"ramstyle": "logic", "romstyle": "logic"}
        )
    return found
