"""ReLU6, from specification to integers: a clamp where 6 lies within the format."""

from __future__ import annotations

import numpy as np
import pytest

from fxsim.floats.checkpoint import Checkpoint, LinearParameters
from fxsim.floats.forward import forward
from fxsim.quantizer import quantize
from fxsim.simulator.simulator import simulate
from fxsim.spec import parse_spec
from tests.spec.specs import refused

EYE = {"layer0": LinearParameters(weight=np.eye(2), bias=np.array([0.0, 1.0]))}
X = np.array([[-3.0, 0.0], [2.0, 2.5], [7.0, 5.5], [12.0, 9.0]])
WANTED = np.array([[0.0, 1.0], [2.0, 3.5], [6.0, 6.0], [6.0, 6.0]])


def spec_of(layer, x=X):
    values = {"name": "n", "data": "d", "input": {"shape": [2], "signed": True, "bits": 12}}
    return parse_spec(values | {"layers": [layer]}, "x.yaml")


def layer_of(**more):
    return {"type": "linear", "units": 2, "nonlinearity": "relu6"} | more


def test_in_real_numbers():
    np.testing.assert_array_equal(forward(spec_of(layer_of(output={})), EYE, X), WANTED)


@pytest.mark.parametrize(
    ("scale", "clamp"),
    [
        (0.25, (0, 24)),  # 6 is 24 steps
        (0.35, (0, 17)),  # 17.14
        (0.04, (0, 150)),
        (0.02, None),  # 6 is 300 steps, more than 8 bits have
        (6 / 255, None),  # 6 is the greatest step
    ],
)
def test_a_clamp_where_the_format_has_more(scale, clamp):
    spec = spec_of(layer_of(output={"bits": 8, "scale": scale}))
    network = quantize(spec, Checkpoint(parent=EYE), X)
    (layer,) = network.layers
    assert (layer.tail.clamp, layer.tail.relu) == (clamp, True)
    most = min(255 * scale, 6.0)
    real = scale * simulate(network, X)
    np.testing.assert_allclose(real, np.minimum(WANTED, most), atol=scale / 2 + 0.01)


def test_the_calibrated_scale_leaves_nothing_above_6():
    network = quantize(spec_of(layer_of(output={"bits": 8})), Checkpoint(parent=EYE), X)
    top = network.output.scale * network.output.format.max
    assert 5.5 < top < 6.5


def test_outputs_that_wrap_are_refused():
    spec = {"name": "n", "data": "d", "input": {"shape": [2]}, "layers": [layer_of(output={})]}
    message = "nonlinearity must not be relu6 with overflow: wrap"
    refused(spec, "layers.0.requantize.overflow", "wrap", message, "layers[0].nonlinearity")
