"""Networks with concat, resize and rescale: every word of every layer, every cycle."""

from __future__ import annotations

from pathlib import Path

import pytest

from fxsim.testbenches.bench.simulators import SIMULATORS
from fxsim.testbenches.cases.samples import encoder_decoder, random_inputs
from fxsim.testbenches.test_networks import check


@pytest.mark.parametrize("lanes", [1, 2])
@pytest.mark.parametrize("simulator", SIMULATORS)
def test_encoder_and_decoder(simulator: str, lanes: int, tmp_path: Path) -> None:
    network = encoder_decoder(lanes=lanes)
    names = [layer.name for layer in network.layers]
    assert names[4:7] == ["both_double", "both_fine", "both"]
    check(network, {simulator: random_inputs(network, 8)}, tmp_path)
