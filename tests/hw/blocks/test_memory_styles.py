"""What weight memories are made of: attributes in the Verilog, and what Yosys makes of them."""

from __future__ import annotations

import re

import numpy as np
import pytest

from fxsim.arithmetic.codes import code_of
from fxsim.arithmetic.formats import AccumulatorMode, IntFormat, MemoryStyle
from fxsim.hw.blocks.mac_array import MacArray
from fxsim.hw.emit import verilog_of
from fxsim.hw.skip.pairs import ZeroSkipConfig
from fxsim.hw.skip.sparse_mac import SparseMac, SparseMacConfig
from fxsim.hw.tools.synth import synthesize
from fxsim.plan.mac_array import MacArrayConfig

BYTE = IntFormat(bits=8, signed=True)
WEIGHTS = np.random.default_rng(1).integers(-127, 128, (32, 48))

XILINX_BLOCK = {"ram_style": "block", "rom_style": "block"}
XILINX_LUTS = {"ram_style": "distributed", "rom_style": "distributed"}
CASES = [
    ("auto", False, None),
    ("auto", True, {}),
    ("block", False, XILINX_BLOCK),
    ("block", True, XILINX_BLOCK),
    ("distributed", False, XILINX_LUTS | {"ramstyle": "logic", "romstyle": "logic"}),
    ("distributed", True, XILINX_LUTS | {"ramstyle": "MLAB, no_rw_check"}),
]


def dense_config(style: str, *, loadable: bool) -> MacArrayConfig:
    return MacArrayConfig(
        rows=1,
        simd=2,
        activation=BYTE,
        code=code_of(IntFormat.for_levels(255)),
        accumulator=IntFormat(bits=32, signed=True),
        mode=AccumulatorMode.WRAP,
        weights=WEIGHTS,
        bias=np.zeros(32, np.int64),
        dsp=True,
        memory=MemoryStyle(style),
        loadable=loadable,
    )


def dense(style: str, *, loadable: bool) -> str:
    return verilog_of(MacArray(dense_config(style, loadable=loadable)), "dut")


def sparse(style: str, *, loadable: bool) -> str:
    skip = ZeroSkipConfig(gradient=BYTE, items=32, lanes=4, issue=1)
    config = SparseMacConfig(
        skip=skip,
        rows=8,
        weight=BYTE,
        weights=WEIGHTS,
        memory=MemoryStyle(style),
        loadable=loadable,
    )
    return verilog_of(SparseMac(config), "dut")


def attributes(verilog: str) -> dict[str, str] | None:
    """Those of the only memory that has any; None where constants are logic, and no memory is."""
    found = re.findall(
        r"((?:^ *\(\* .*\*\)\n)*)^ +reg \[[\w:-]+\] \w+ \[[\w:-]+\];$", verilog, re.MULTILINE
    )
    pairs = [dict(re.findall(r'(\w+) = "([^"]*)"', lines)) for lines in found]
    return max(pairs, key=len, default=None)


@pytest.mark.parametrize("array", [dense, sparse])
@pytest.mark.parametrize(("style", "loadable", "expected"), CASES)
def test_attributes(array, style, loadable, expected):
    assert attributes(array(style, loadable=loadable)) == expected


@pytest.mark.parametrize("style", ["block", "distributed"])
def test_yosys_reads_those_of_vivado(style):
    """Were those of Quartus read, the memory would be of flip-flops, or refused."""
    content = dense_config(style, loadable=True).content
    files = {content.file("dut"): content.text}
    verilog = dense(style, loadable=True)
    area = synthesize(verilog, "dut", "xc7", blocks=False, memories=files)
    assert (area.block_ram > 0) == (style == "block")
    assert (area.lut_ram > 10) == (style == "distributed")  # fewer are shift registers
