"""Area and clock of zero skipping next to the array that it feeds, 64 MACs without DSP blocks.

``python -m benchmarks.skip_area area`` (Yosys, a minute) and ``... clock`` (nextpnr-ecp5, an
hour) write their tables into docs/zero-skipping.md.
"""

import re
import sys
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
from amaranth.lib.wiring import Component

from fxsim.arithmetic.codes import code_of
from fxsim.arithmetic.formats import AccumulatorMode, MemoryStyle
from fxsim.files import write_text
from fxsim.hw.blocks.mac_array import MacArray
from fxsim.hw.emit import verilog_of
from fxsim.hw.skip.replay import ReplayBuffer
from fxsim.hw.skip.sparse_mac import SparseMac
from fxsim.hw.skip.sparse_matvec import SparseMatVecConfig
from fxsim.hw.skip.zero_skip import ZeroSkipper
from fxsim.hw.tools.pnr import clocks_mhz
from fxsim.hw.tools.synth import synthesize
from fxsim.plan.mac_array import MacArrayConfig
from fxsim.testbenches.cases.sparse import folded_config

PAGE = Path(__file__).parents[1] / "docs" / "zero-skipping.md"
FOLDINGS = ((64, 1), (16, 4))

LUTS_OF_RAM = 4
"""A RAM32M is four LUTs; shift registers, one LUT each, are in the arrays only."""


def config(rows: int, issue: int) -> SparseMatVecConfig:
    """64 outputs of 256 gate gradients, multipliers in LUTs, weights in block RAM."""
    return replace(folded_config(rows, issue), dsp=False, memory=MemoryStyle.BLOCK)


def dense(rows: int, simd: int) -> MacArray:
    """Product without skipping."""
    same = config(rows, simd)
    return MacArray(
        MacArrayConfig(
            rows=rows,
            simd=simd,
            activation=same.skip.gradient,
            code=code_of(same.weight),
            accumulator=same.accumulator,
            mode=AccumulatorMode.WIDE,
            weights=same.weights.T,
            bias=np.zeros(same.outputs, np.int64),
            dsp=False,
            memory=MemoryStyle.BLOCK,
        )
    )


def parts(rows: int, issue: int) -> dict[str, Component]:
    """Area that skipping adds, with and without a threshold."""
    made = config(rows, issue)
    threshold = replace(made.skip, threshold=True)
    return {
        "skipper: queue and look-ahead": ZeroSkipper(made.skip),
        "the same with a threshold": ZeroSkipper(threshold),
        "replay buffer": ReplayBuffer(made.skip, tiles=made.tiles),
    }


def area_rows():
    """Lines of the table of area, on Xilinx 7-series."""
    for rows, issue in FOLDINGS:
        array = synthesize(
            verilog_of(SparseMac(config(rows, issue)), "part"),
            "part",
            "xc7",
            dsp=False,
            blocks=False,
        )
        whole = array.lut + array.lut_ram  # those of the array are shift registers
        yield (
            f"| {rows} x {issue} | array | {array.lut} | {array.lut_ram} | {array.ff} |"
            f" {array.block_ram} | |"
        )
        for name, part in parts(rows, issue).items():
            seen = synthesize(verilog_of(part, "part"), "part", "xc7", dsp=False, blocks=False)
            luts = seen.lut + LUTS_OF_RAM * seen.lut_ram
            yield (
                f"| {rows} x {issue} | {name} | {seen.lut} | {LUTS_OF_RAM * seen.lut_ram} |"
                f" {seen.ff} | {seen.block_ram} | {100 * luts / whole:.1f} % |"
            )


def clock_rows():
    """Lines of the table of clocks, on ECP5."""
    for rows, issue in FOLDINGS:
        made = {"dense array": dense(rows, issue), "sparse array": SparseMac(config(rows, issue))}
        for name, part in (made | parts(rows, issue)).items():
            clocks = clocks_mhz(verilog_of(part, "part"), "part", target="ecp5")
            each = ", ".join(f"{clock:.1f}" for clock in clocks)
            yield f"| {rows} x {issue} | {name} | {median(clocks):.1f} | {each} |"


TABLES = {
    "area": (
        "| rows x issue | part | LUT | LUTs as RAM | FF | block RAM | of the array's LUTs |",
        area_rows,
    ),
    "clock": ("| rows x issue | part | MHz, median | seeds 1, 2, 3 |", clock_rows),
}


def main() -> None:
    """Measure, and replace what is between the markers of the page."""
    for name in sys.argv[1:] or TABLES:
        head, rows = TABLES[name]
        lines = [head, "|---" * (head.count("|") - 1) + "|"]
        print("\n".join(lines), flush=True)
        for line in rows():
            print(line, flush=True)
            lines.append(line)
        table = "\n".join(lines)
        pattern = rf"(<!-- {name} -->\n\n).*?(\n\n<!-- end -->)"
        text = re.sub(
            pattern, lambda found, t=table: found[1] + t + found[2], PAGE.read_text(), flags=re.S
        )
        write_text(PAGE, text)


if __name__ == "__main__":
    main()
