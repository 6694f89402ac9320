"""The estimate of LUTs has the figures of docs/area.md, and follows word lengths."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from fxsim.cost.luts import DSP, EXPONENT, LUT, SHIFT, SIGN, luts
from fxsim.network.storage import load_network
from fxsim.plan.graph import Block
from fxsim.plan.mac_array import MacArrayConfig
from fxsim.plan.planner import plan_network
from tests.places import MODELS, ROOT


@pytest.mark.parametrize(
    ("cell", "each"),
    [
        ("binary x int8", SIGN - 1),
        ("ternary x uint8", SIGN),
        ("2 powers of two x int8", SHIFT + 2 * EXPONENT),
        ("4 powers of two x int8", SHIFT + 4 * EXPONENT),
        ("6 powers of two x int8", SHIFT + 6 * EXPONENT),
        ("int8 x uint8, DSP", DSP),
        ("int8 x uint8, no DSP", LUT),
    ],
)
def test_figures_are_those_that_were_measured(cell, each):
    page = (ROOT / "docs" / "area.md").read_text()
    (measured,) = re.findall(rf"^\| {cell} \| ([\d.]+) \|", page, re.MULTILINE)
    assert abs(each - float(measured)) <= 0.6


def test_a_cell_costs_in_proportion_to_its_word_lengths():
    """Second layer of the digits network: 8 rows of 8 ternary weights, activations of 8 bits."""
    plan = plan_network(load_network(MODELS / "digits-mlp-ternary"))
    assert luts([plan["layer1.mac_array"]]) == 8 * 8 * 12
    assert luts([plan["layer1.buffer"]]) == 0


def test_multipliers_in_luts_and_beside_dsp_blocks():
    plan = plan_network(load_network(MODELS / "digits-mlp-int8"))
    block = plan["layer0.mac_array"]
    array = block.record
    assert isinstance(array, MacArrayConfig)
    cells = array.rows * array.simd * array.activation.bits / 8
    assert luts([block]) == round(17 * cells)
    soft = Block(block.path, replace(array, dsp=False), block.sources, block.output)
    assert luts([soft]) == round(57 * cells * array.code.bits / 8)
