"""Kernels, strides and paddings that differ by direction and side, up to integers."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from fxsim.arithmetic.windows import Padding
from fxsim.floats.checkpoint import Checkpoint
from fxsim.floats.forward import forward
from fxsim.quantizer.quantizer import quantize, quantized_parameters
from fxsim.reference import run
from fxsim.simulator.simulator import simulate, simulate_trace
from fxsim.spec import parse_spec
from fxsim.training.module import Network
from fxsim.training.parameters import product_parameters
from tests.spec.specs import refused

OUTPUT = {"nonlinearity": "relu6", "output": {"bits": 8}}
SPEC = {
    "name": "net",
    "data": "none",
    "input": {"shape": [2, 9, 7], "signed": True},
    "layers": [
        {"type": "convolution", "units": 4, "kernel": [5, 2], "stride": [2, 1], "padding": "same"}
        | OUTPUT,
        {"type": "max_pool", "kernel": [2, 3], "stride": [1, 2], "padding": {"right": 2, "top": 1}},
        {"type": "convolution", "units": 8, "kernel": [3, 1], "padding": {"bottom": 2}, "groups": 4}
        | OUTPUT,
        {"type": "average_pool", "kernel": [2, 3], "stride": [1, 1]},
        {"type": "flatten"},
        {"type": "linear", "units": 3},
    ],
}
SHAPES = [(4, 5, 7), (4, 5, 4), (8, 5, 4), (8, 4, 2)]


def test_shapes_by_hand():
    """Rows and columns: ceil(9 / 2) by ceil(7 / 1); 6 - 2 + 1 by (9 - 3) / 2 + 1; and so on."""
    spec = parse_spec(SPEC, "x.yaml")
    assert [spec.shapes[f"layer{k}"] for k in range(4)] == SHAPES
    assert spec.layers[0].windows((2, 9, 7)).padding == Padding(2, 0, 2, 1)


@pytest.mark.parametrize("size", range(1, 10))
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
def test_same_is_that_of_torch(size, stride, kernel):
    """Where torch knows it, at a stride of 1; in any case ceil(size / stride) windows."""
    layer = {"type": "convolution", "units": 1, "kernel": [kernel, 1], "stride": stride}
    spec = parse_spec(
        SPEC | {"input": {"shape": [1, size, 1]}, "layers": [layer | {"padding": "same"}]}, "x"
    )
    windows = spec.layers[0].windows((1, size, 1))
    assert (windows.rows, windows.columns) == (-(-size // stride), 1)
    assert 0 <= windows.padding.bottom - windows.padding.top <= 1
    if stride == 1:
        x = torch.randn(1, 1, size, 1)
        weight = torch.randn(1, 1, kernel, 1)
        framed = nn.functional.pad(x, (0, 0, windows.padding.top, windows.padding.bottom))
        with warnings.catch_warnings(action="ignore"):  # that even kernels cost torch a copy
            same = nn.functional.conv2d(x, weight, padding="same")
        torch.testing.assert_close(nn.functional.conv2d(framed, weight), same)


def test_training_floats_and_integers_agree():
    spec = parse_spec(SPEC, "x.yaml")
    torch.manual_seed(5)
    network = Network(spec)
    network.eval()
    parameters = {
        product.name: product_parameters(linear)
        for product, linear in zip(spec.products, network.linears(), strict=True)
    }
    x = np.random.default_rng(5).normal(size=(40, 2, 9, 7))
    with torch.no_grad():
        trained = network(torch.from_numpy(x.astype(np.float32))).numpy()
    np.testing.assert_allclose(forward(spec, parameters, x), trained, atol=1e-4)
    checkpoint = Checkpoint(parent=parameters)
    quantized = quantize(spec, checkpoint, x)
    trace = simulate_trace(quantized, x[:5])
    for image, seen in zip(trace.input.tolist(), trace.output.tolist(), strict=True):
        assert run(quantized, image)[-1].accumulators == seen
    real = quantized.output.scale * simulate(quantized, x)
    expected = forward(spec, quantized_parameters(spec, checkpoint), x)
    assert np.abs(real - expected).max() < 0.1 * np.abs(expected).max()


TWO = "an integer from 1 to 4096, or a list of two: down and across"
EDGES = (
    "an integer from 0 to 4096, 'same', or a mapping of such integers by side: top, left, bottom,"
    " right"
)
ERRORS = [
    ("layers.0.kernel", [3], f"kernel must be {TWO}, not [3]", "layers[0].kernel"),
    ("layers.0.stride", [0, 1], f"stride must be {TWO}, not [0, 1]", "layers[0].stride"),
    ("layers.1.stride", 0, f"stride must be {TWO}, not 0", "layers[1].stride"),
    ("layers.1.padding", "valid", f"padding must be {EDGES}, not 'valid'", "layers[1].padding"),
    (
        "layers.1.padding",
        {"up": 1},
        f"padding must be {EDGES}, not {{'up': 1}}",
        "layers[1].padding",
    ),
    ("layers.1.padding", True, f"padding must be {EDGES}, not True", "layers[1].padding"),
    (
        "layers.1.padding",
        {"left": 3},
        "padding must be less than the kernel, 3, not 3 (left)",
        "layers[1].padding",
    ),
]


@pytest.mark.parametrize(("path", "value", "message", "where"), ERRORS)
def test_errors(path, value, message, where):
    refused(SPEC, path, value, message, where)
