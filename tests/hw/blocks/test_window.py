# amaranth: UnusedElaboratable=no
"""Line buffers are block RAM and need no multiplier."""

from __future__ import annotations

import pytest

from fxsim.arithmetic.formats import IntFormat
from fxsim.errors import ConfigError, MissingToolError
from fxsim.hw.blocks.mac_array import MacArray
from fxsim.hw.blocks.window import Window
from fxsim.hw.emit import verilog_of
from fxsim.hw.tools.synth import synthesize
from fxsim.network import Windows
from fxsim.network.storage import load_network
from fxsim.plan.mac_array import MacArrayConfig
from fxsim.plan.memory import WeightMemory
from fxsim.plan.window import WindowConfig
from tests.messages import raises
from tests.places import MODELS

UINT8 = IntFormat(bits=8, signed=False)
WINDOWS = Windows(channels=16, height=16, width=16, kernel=(5, 5), padding=2)


@pytest.mark.parametrize("target", ["xc7", "ecp5", "gowin"])
def test_memory_of_a_line_buffer(target: str) -> None:
    """Six rows of 20 x 16 pixels of 8 bits, 16 of them a word."""
    verilog = verilog_of(Window(WindowConfig(windows=WINDOWS, format=UINT8, simd=16)), "window")
    area = synthesize(verilog, "window", target, blocks=False)
    assert area.block_ram > 0
    assert area.lut_ram == 0
    assert area.dsp == 0
    assert area.lut < 400


@pytest.mark.parametrize("target", ["xc7", "ecp5", "gowin"])
def test_weights_that_are_meant_for_block_ram(target: str) -> None:
    """The fully connected layer of the narrow network: 16 384 ternary weights."""
    layer = load_network(MODELS / "house-numbers-cnn-narrow").linears[-2]
    memory = WeightMemory.of(layer)
    verilog = verilog_of(MacArray(MacArrayConfig.from_layer(layer)), "mac_array")
    files = {memory.file("mac_array"): memory.text}
    area = synthesize(verilog, "mac_array", target, blocks=False, memories=files)
    assert layer.weight.size == 16384
    assert area.block_ram > 0
    with pytest.raises(MissingToolError, match=r"Can not open file `mac_array\.layer7_weights"):
        synthesize(verilog, "mac_array", target, blocks=False)


def test_lanes_that_windows_do_not_have() -> None:
    message = "simd must be one of [1, 2, 4, 8, 16, 80, 400], not 3"
    with raises(ConfigError, message):
        WindowConfig(windows=WINDOWS, format=UINT8, simd=3)
    with raises(ConfigError, "repeats must be at least 1, not 0"):
        WindowConfig(windows=WINDOWS, format=UINT8, simd=16, repeats=0)
