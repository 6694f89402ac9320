"""Area of the MAC array and of an LSTM layer by Yosys: writes docs/area.md (``make area``)."""

from dataclasses import replace
from pathlib import Path

import numpy as np

import fxsim
from fxsim.arithmetic.codes import AnyCode, BinaryCode, PowerOfTwoCode, code_of
from fxsim.arithmetic.formats import AccumulatorMode, IntFormat, MemoryStyle
from fxsim.cli.pipeline import choose_targets
from fxsim.files import write_text
from fxsim.hw.blocks.mac_array import MacArray
from fxsim.hw.emit import accelerator_verilog, memory_files, verilog_of
from fxsim.hw.tools.synth import SynthResult, synthesize
from fxsim.network import Folding, QuantizedNetwork, accumulator_bounds
from fxsim.network.storage import load_network
from fxsim.plan.mac_array import MacArrayConfig
from fxsim.targets.registry import DEFAULT, TARGETS
from fxsim.timing.cycles import predict

PAGE = Path(__file__).parents[1] / "docs" / "area.md"
ROWS, SIMD, TILES, BEATS = 4, 64, 16, 8

INT8, UINT8 = IntFormat(bits=8, signed=True), IntFormat(bits=8, signed=False)
TERNARY, WEIGHT8 = (code_of(IntFormat.for_levels(levels)) for levels in (3, 255))
CASES = [
    ("binary x int8", BinaryCode(), INT8, False, "at most 17 LUT"),
    ("ternary x int8", TERNARY, INT8, False, "at most 17 LUT"),
    ("ternary x uint8", TERNARY, UINT8, False, "at most 17 LUT"),
    ("2 powers of two x int8", PowerOfTwoCode(2), INT8, False, "at most 40 LUT"),
    ("4 powers of two x int8", PowerOfTwoCode(4), INT8, False, "at most 40 LUT"),
    ("6 powers of two x int8", PowerOfTwoCode(6), INT8, False, "at most 40 LUT"),
    ("int8 x int8, no DSP", WEIGHT8, INT8, False, "at most 125 LUT"),
    ("int8 x uint8, no DSP", WEIGHT8, UINT8, False, "at most 125 LUT"),
    ("int8 x int8, DSP", WEIGHT8, INT8, True, "1 DSP, at most 20 LUT"),
    ("int8 x uint8, DSP", WEIGHT8, UINT8, True, "1 DSP, at most 20 LUT"),
]

LSTM_CASES = [
    (f"{weights}, {count} multiplier{'s' if count > 1 else ''}", f"charlm-lstm-{model}", count)
    for weights, model in (("ternary", "ternary"), ("8 bits", "int8"))
    for count in (3, 1)
]
LSTM_FOLDINGS = Folding(rows=8, simd=6), Folding(rows=8, simd=4)

INTRODUCTION = f"""# Area of the MAC array

`make area` wrote this page (fxsim {fxsim.__version__}, pyosys 0.70,
`{TARGETS[DEFAULT].synthesis(dsp=True)}`).

A whole `MacArray` of {ROWS} rows x {SIMD} lanes: weight memory, dot products, accumulators, biases
and control. The layer has {ROWS * TILES} outputs and {SIMD * BEATS} inputs, and its weights are in
block RAM (`memory: block`). Figures are per multiply-accumulate ({ROWS * SIMD} of them); LUT counts
LUT1 to LUT6 alike, LUT RAM counts shift registers and distributed memory, block RAM is that of the
whole array, in RAMB36; a RAMB18 is half of one.

| cell | LUT | LUT RAM | FF | DSP | block RAM | target |
|---|---|---|---|---|---|---|"""

COMPARISON = """
For comparison, the cost formula of FINN's matrix-vector unit (FINN-R, as in its sources) gives 55
LUT for ternary x 8 bit and 123 LUT for 8 x 8 bit, large arrays.
"""

LSTM_INTRODUCTION = f"""## Area of an LSTM layer

The LSTM layer of `charlm-lstm-ternary` and `charlm-lstm-int8` between AXI4-Stream ports: 96 one-bit
inputs, 64 cells, W x on an array of {LSTM_FOLDINGS[0].rows} x {LSTM_FOLDINGS[0].simd} lanes and U h
on one of {LSTM_FOLDINGS[1].rows} x {LSTM_FOLDINGS[1].simd}, with weights, tables and cell state.
Its elementwise unit has 3 multipliers or 1 (`multipliers`); with 3, U h leaves through a
requantizer of 4 lanes instead of 1. The multipliers of W x see one-bit inputs. Cycles are those of
a step, of which U h takes 512 (`fxsim.timing.cycles`). A block RAM holds 36 kbit on xc7, 18 on
ecp5 and gowin, 4 on ice40. `logic` is what the cells fill once they are packed (targets.md).

| weights, elementwise | target | logic | LUT | LUT RAM | FF | DSP | block RAM | cycles |
|---|---|---|---|---|---|---|---|---|"""


IMAGE_MODEL = "house-numbers-cnn-narrow"

IMAGE_INTRODUCTION = f"""
## Area of a network on images

`{IMAGE_MODEL}`, whole, as it is shipped: the weights of its fully connected layer, 32,768 bits, are
in block RAM, which a file fills and a checksum register watches (docs/architecture.md); the line
buffers are memories of their own. The multipliers are those of requantizers and the last layer.

| target | logic | LUT | LUT RAM | FF | DSP | block RAM |
|---|---|---|---|---|---|---|"""


def array(code: AnyCode, activation: IntFormat, dsp: bool) -> MacArray:
    """Array of ROWS x SIMD cells with random weights, so many that they go to block RAM."""
    generator = np.random.default_rng(1)
    shape = (ROWS * TILES, SIMD * BEATS)
    span = code.format
    weights = code.nearest(generator.integers(span.min, span.max, shape, endpoint=True))
    bias = generator.integers(-1000, 1000, shape[0])
    low, high = accumulator_bounds(weights, bias, activation)
    return MacArray(
        MacArrayConfig(
            rows=ROWS,
            simd=SIMD,
            activation=activation,
            code=code,
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


def lstm_network(model: str, multipliers: int) -> QuantizedNetwork:
    """A shipped network whose LSTM layer has the foldings and multipliers of the table."""
    network = load_network(PAGE.parents[1] / "models" / model)
    layer = network.layers[0]
    layer = replace(
        layer,
        input_product=replace(layer.input_product, folding=LSTM_FOLDINGS[0]),
        hidden_product=replace(layer.hidden_product, folding=LSTM_FOLDINGS[1]),
        multipliers=multipliers,
    )
    return replace(network, layers=(layer,))


def lstm_lines() -> list[str]:
    """Table of the LSTM layer, each case on each target."""
    lines = [LSTM_INTRODUCTION]
    for name, model, multipliers in LSTM_CASES:
        network = lstm_network(model, multipliers)
        verilog, cycles = accelerator_verilog(network), predict(network).interval
        for target in TARGETS:
            files = memory_files(network)
            found = synthesize(verilog, network.name, target, blocks=False, memories=files)
            counts = (*_counts(found), cycles)
            lines.append(f"| {name} | {target} | {' | '.join(map(str, counts))} |")
            print(lines[-1], f"{found.seconds:.0f} s", flush=True)
    return lines


def _counts(found: SynthResult) -> tuple[int, ...]:
    return (found.logic, found.lut, found.lut_ram, found.ff, found.dsp, found.block_ram)


def image_lines() -> list[str]:
    """Table of a network on images, whose largest weights are in block RAM."""
    network = load_network(PAGE.parents[1] / "models" / IMAGE_MODEL)
    verilog, files = accelerator_verilog(network), memory_files(network)
    lines = [IMAGE_INTRODUCTION]
    for target in choose_targets(network):
        found = synthesize(verilog, network.name, target, blocks=False, memories=files)
        lines.append(f"| {target} | {' | '.join(map(str, _counts(found)))} |")
        print(lines[-1], f"{found.seconds:.0f} s", flush=True)
    return lines


def main() -> None:
    """Measure every case and write the page."""
    lines = [INTRODUCTION]
    for name, code, activation, dsp, target in CASES:
        block = array(code, activation, dsp)
        (memory,) = block.memories
        files = {memory.content.file("mac_array"): memory.content.text}
        verilog = verilog_of(block, "mac_array")
        result = synthesize(verilog, "mac_array", DEFAULT, dsp=dsp, blocks=False, memories=files)
        lines.append(row(name, target, result))
        print(lines[-1], f"{result.seconds:.0f} s", flush=True)
    write_text(PAGE, "\n".join([*lines, COMPARISON, *lstm_lines(), *image_lines(), ""]))


if __name__ == "__main__":
    main()
