"""Area of the MAC array by Yosys: writes docs/area.md (``make area``)."""

from pathlib import Path

import numpy as np

import fxsim
from fxsim.files import write_text
from fxsim.formats import AccumulatorMode, IntFormat, MemoryStyle
from fxsim.network import accumulator_bounds
from hw.config import MacArrayConfig
from hw.emit import verilog_of
from hw.mac_array import MacArray
from hw.synth import SynthResult, synthesize

PAGE = Path(__file__).parents[1] / "docs" / "area.md"
ROWS, SIMD, TILES, BEATS = 4, 64, 16, 8

INT8, UINT8 = IntFormat(bits=8, signed=True), IntFormat(bits=8, signed=False)
TERNARY, WEIGHT8 = IntFormat.for_levels(3), IntFormat.for_levels(255)
CASES = [
    ("ternary x int8", TERNARY, INT8, False, "at most 17 LUT"),
    ("ternary x uint8", TERNARY, UINT8, False, "at most 17 LUT"),
    ("int8 x int8, no DSP", WEIGHT8, INT8, False, "at most 125 LUT"),
    ("int8 x uint8, no DSP", WEIGHT8, UINT8, False, "at most 125 LUT"),
    ("int8 x int8, DSP", WEIGHT8, INT8, True, "1 DSP, at most 20 LUT"),
    ("int8 x uint8, DSP", WEIGHT8, UINT8, True, "1 DSP, at most 20 LUT"),
]

INTRODUCTION = f"""# Area of the MAC array

`make area` wrote this page (fxsim {fxsim.__version__}, pyosys 0.70, `synth_xilinx -family xc7
-flatten`).

A whole `MacArray` of {ROWS} rows x {SIMD} lanes: weight memory, dot products, accumulators, biases
and control. The layer has {ROWS * TILES} outputs and {SIMD * BEATS} inputs, and its weights are in
block RAM (`memory: block`). Figures are per multiply-accumulate ({ROWS * SIMD} of them); LUT counts
LUT1 to LUT6 alike, LUT RAM counts shift registers and distributed memory, block RAM is the number
of RAMB18 and RAMB36 of the whole array.

| cell | LUT | LUT RAM | FF | DSP | block RAM | target |
|---|---|---|---|---|---|---|"""

COMPARISON = """
For comparison, the cost formula of FINN's matrix-vector unit (FINN-R, as in its sources) gives 55
LUT for ternary x 8 bit and 123 LUT for 8 x 8 bit, large arrays.
"""


def array(weight: IntFormat, activation: IntFormat, dsp: bool) -> MacArray:
    """Array of ROWS x SIMD cells with random weights, so many that they go to block RAM."""
    generator = np.random.default_rng(1)
    shape = (ROWS * TILES, SIMD * BEATS)
    weights = generator.integers(weight.min, weight.max, shape, endpoint=True)
    bias = generator.integers(-1000, 1000, shape[0])
    low, high = accumulator_bounds(weights, bias, activation)
    return MacArray(
        MacArrayConfig(
            rows=ROWS,
            simd=SIMD,
            activation=activation,
            weight=weight,
            accumulator=IntFormat.spanning(low, high, signed=True),
            mode=AccumulatorMode.WIDE,
            weights=weights,
            bias=bias,
            dsp=dsp,
            memory=MemoryStyle.BLOCK,
        )
    )


def row(name: str, target: str, result: SynthResult) -> str:
    """One line of the table: counts per multiply-accumulate."""
    macs = ROWS * SIMD
    per_mac = (result.lut / macs, result.lut_ram / macs, result.ff / macs, result.dsp / macs)
    figures = " | ".join(f"{figure:.2f}" for figure in per_mac)
    return f"| {name} | {figures} | {result.block_ram} | {target} |"


def main() -> None:
    """Measure every case and write the page."""
    lines = [INTRODUCTION]
    for name, weight, activation, dsp, target in CASES:
        verilog = verilog_of(array(weight, activation, dsp), "mac_array")
        result = synthesize(verilog, "mac_array", "xc7", dsp=dsp, blocks=False)
        lines.append(row(name, target, result))
        print(lines[-1], f"{result.seconds:.0f} s", flush=True)
    write_text(PAGE, "\n".join([*lines, COMPARISON]))


if __name__ == "__main__":
    main()
