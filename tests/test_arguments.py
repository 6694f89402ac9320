"""Public functions say which argument has the wrong type, and what it should be."""

from __future__ import annotations

import numpy as np
import pytest

import fxsim
from fxsim import data
from fxsim.errors import ArgumentError, FxsimError
from fxsim.floats.checkpoint import load_checkpoint, save_checkpoint
from fxsim.network.storage import save_network
from fxsim.quantizer import quantize, quantize_input
from fxsim.simulator import as_input, simulate, simulate_outputs
from fxsim.spec import load_spec
from tests.commands import small_network
from tests.messages import raises
from tests.places import MODELS
from tests.two_layers import make_checkpoint, make_spec

NETWORK, SPEC = small_network(), make_spec()
CHECKPOINT = make_checkpoint(SPEC)
X = np.zeros((2, 6))


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (fxsim.load_network, (None,), "folder must be a path, not None"),
        (fxsim.load_network, (3,), "folder must be a path, not int 3"),
        (fxsim.load_network, (b"net",), "folder must be a path, not bytes b'net'"),
        (fxsim.load_network, (NETWORK,), "folder must be a path, not QuantizedNetwork"),
        (save_network, (NETWORK, None), "folder must be a path, not None"),
        (save_network, ("net", "net"), "network must be a QuantizedNetwork, not str 'net'"),
        (fxsim.simulate, ("net", X), "network must be a QuantizedNetwork, not str 'net'"),
        (simulate, (X, NETWORK), "network must be a QuantizedNetwork, not ndarray"),
        (simulate_outputs, (SPEC, X), "network must be a QuantizedNetwork, not NetworkSpec"),
        (as_input, (None, X), "network must be a QuantizedNetwork, not None"),
        (simulate, (NETWORK, X, 3), "state must be a Mapping, not int 3"),
        (simulate, (NETWORK, None), "input must be an array, not None"),
        (simulate, (NETWORK, 5), "input must be an array, not int 5"),
        (
            simulate,
            (NETWORK, np.ma.masked_array(X, X == 0)),
            "input must be an array without a mask; fill it first",
        ),
        (quantize, (SPEC, CHECKPOINT, "x"), "calibration must be an array, not str 'x'"),
        (load_spec, (4,), "path must be a path, not int 4"),
        (quantize, ("s.yaml", CHECKPOINT, X), "spec must be a NetworkSpec, not str 's.yaml'"),
        (quantize, (SPEC, "c.npz", X), "checkpoint must be a Checkpoint, not str 'c.npz'"),
        (quantize_input, (3, X), "quantizer must be an InputQuantizer, not int 3"),
        (load_checkpoint, (None, SPEC), "path must be a path, not None"),
        (load_checkpoint, ("c.npz", "s"), "spec must be a NetworkSpec, not str 's'"),
        (save_checkpoint, (3, "c.npz"), "checkpoint must be a Checkpoint, not int 3"),
        (data.load, (None,), "data must be a str, not None"),
        (data.load_split, (1.5,), "data must be a str, not float 1.5"),
        (data.load, ("digits", 3), "shape must be a tuple, not int 3"),
    ],
)
def test_wrong_types(function, arguments, message):
    with raises(ArgumentError, message):
        function(*arguments)


@pytest.mark.parametrize("x", ["abc", None, object(), [[1], [2, 3]], {1: X}, {"input": None}])
def test_what_is_no_samples(x):
    with pytest.raises(FxsimError, match=r"^(input|samples) must "):
        simulate(NETWORK, x)


def test_paths_may_be_text(tmp_path):
    save_network(NETWORK, str(tmp_path / "net"))
    assert fxsim.load_network(str(tmp_path / "net")).name == NETWORK.name
    save_checkpoint(CHECKPOINT, str(tmp_path / "c.npz"))
    assert load_checkpoint(str(tmp_path / "c.npz"), SPEC).parent.keys() == CHECKPOINT.parent.keys()
    assert load_spec(str(MODELS / "digits-mlp-int8" / "spec.yaml")).name == "digits_mlp_int8"


def test_a_wrong_type_is_a_type_error_of_python():
    assert issubclass(ArgumentError, TypeError)
    assert issubclass(ArgumentError, FxsimError)
