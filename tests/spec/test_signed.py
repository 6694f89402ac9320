"""Signedness of outputs that leave it out: that of what the nonlinearity lets through."""

from __future__ import annotations

import pytest

from fxsim.spec import parse_spec

LINEAR = {"type": "linear", "units": 4}
CONVOLUTION = {"type": "convolution", "units": 1, "kernel": 1}
ADD = {"type": "add", "shortcut": "input"}


def parsed(layer, **keys):
    shape = [1, 4, 4] if layer is CONVOLUTION else [4]
    before = [LINEAR | {"name": "earlier", "output": {}}] if layer is ADD else []
    tree = {"name": "n", "data": "d", "input": {"shape": shape}, "layers": [*before, layer | keys]}
    return parse_spec(tree, "x.yaml")


@pytest.mark.parametrize("layer", [LINEAR, CONVOLUTION, ADD], ids=lambda layer: layer["type"])
@pytest.mark.parametrize(
    ("keys", "output", "fmt"),
    [
        ({}, {}, "int8"),
        ({"nonlinearity": "none"}, {"bits": 5}, "int5"),
        ({"nonlinearity": "relu"}, {"bits": 5}, "uint5"),
        ({"nonlinearity": "relu"}, {"bits": 5, "signed": True}, "int5"),
        ({}, {"bits": 5, "signed": False}, "uint5"),
        ({}, {"bits": 5, "narrow": True}, "int5n"),
    ],
)
def test_left_out_it_follows_the_nonlinearity(layer, keys, output, fmt):
    spec = parsed(layer, **keys, output=output)
    assert str(spec.layers[-1].output.format) == fmt
    full = spec.model_dump(mode="json")["layers"][-1]["output"]
    assert full["signed"] is (fmt[0] == "i")
    assert parse_spec(spec.model_dump(mode="json"), "x.yaml") == spec
    short = spec.model_dump(mode="json", exclude_unset=True)["layers"][-1]["output"]
    assert short == output


def test_an_input_is_unsigned():
    assert str(parsed(LINEAR).input.format) == "uint8"
