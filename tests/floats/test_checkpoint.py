import re

import numpy as np
import pytest

from fxsim.errors import FileError, RangeError, SpecError
from fxsim.files import read_npz, write_npz
from fxsim.floats.checkpoint import (
    Checkpoint,
    LinearParameters,
    RetrainedParameters,
    load_checkpoint,
    save_checkpoint,
)
from fxsim.spec import parse_spec

SPEC = parse_spec(
    {
        "name": "net",
        "data": "none",
        "input": {"shape": [3]},
        "layers": [
            {"type": "linear", "units": 2, "output": {}, "weights": {"per": "channel"}},
            {"type": "linear", "units": 4, "name": "last"},
        ],
    },
    "test",
)


def make(retrained=True):
    rng = np.random.default_rng(3)
    weights = {"layer0": rng.normal(size=(2, 3)), "last": rng.normal(size=(4, 2))}
    parent = {
        name: LinearParameters(weight=weight, bias=rng.normal(size=len(weight)))
        for name, weight in weights.items()
    }
    if not retrained:
        return Checkpoint(parent=parent)
    return Checkpoint(
        parent=parent,
        retrained={
            "layer0": RetrainedParameters(
                weight=weights["layer0"] + 1, bias=np.ones(2), scale=np.array([0.1, 0.2]), levels=3
            ),
            "last": RetrainedParameters(
                weight=weights["last"] + 1, bias=np.ones(4), scale=np.array([0.3]), levels=255
            ),
        },
    )


@pytest.mark.parametrize("retrained", [True, False])
def test_round_trip_is_exact_and_repeatable(tmp_path, retrained):
    checkpoint = make(retrained)
    for name in ("a.npz", "b.npz"):
        save_checkpoint(checkpoint, tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    loaded = load_checkpoint(tmp_path / "a.npz", SPEC)
    assert (loaded.retrained is not None) == retrained
    assert loaded.arrays().keys() == checkpoint.arrays().keys()
    for key, array in checkpoint.arrays().items():
        np.testing.assert_array_equal(loaded.arrays()[key], array, strict=True)


def damaged(key, array):
    arrays = make().arrays()
    if array is None:
        del arrays[key]
    else:
        arrays[key] = array
    return arrays


@pytest.mark.parametrize(
    ("key", "array", "message"),
    [
        ("float.layer0.weight", None, "is missing"),
        ("retrained.last.scale", None, "is missing"),
        ("float.layer0.weight", np.zeros((3, 3)), "must have shape (2, 3), not (3, 3)"),
        ("float.last.bias", np.zeros(0), "must have shape (4,), not (0,)"),
        ("float.last.bias", np.array([0, 0, np.nan, 0]), "must be finite, not nan at [2]"),
        ("retrained.layer0.weight", np.full((2, 3), -np.inf), "must be finite, not -inf at [0, 0]"),
        ("retrained.layer0.scale", np.array([0.1, 0.0]), "must be positive, not 0.0"),
        ("retrained.layer0.scale", np.ones(3), "must have shape (1,) or (2,), not (3,)"),
        ("retrained.last.levels", np.array([1]), "must be at least 2, not 1"),
        ("retrained.last.levels", np.array([3, 3]), "must have shape (1,), not (2,)"),
        ("retrained.last.levels", np.array([3.0]), "must hold an integer, not float64"),
        ("float.last.weight", np.ones((4, 2), dtype=np.int8), "must hold floats, not int8"),
    ],
)
def test_a_damaged_file_is_named_with_the_array(tmp_path, key, array, message):
    path = tmp_path / "bad.npz"
    write_npz(path, damaged(key, array))
    with pytest.raises(FileError, match=re.escape(f"{path}: {key}")) as caught:
        load_checkpoint(path, SPEC)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_array_gets_the_nearest_name(tmp_path):
    path = tmp_path / "bad.npz"
    write_npz(path, damaged("float.layer0.wieght", np.zeros(1)))
    with pytest.raises(FileError, match=r"'float.layer0.wieght'; expected 'float.layer0.weight'"):
        load_checkpoint(path, SPEC)


def test_float32_files_are_read_as_float64(tmp_path):
    path = tmp_path / "c.npz"
    arrays = make(retrained=False).arrays()
    write_npz(path, {key: array.astype(np.float32) for key, array in arrays.items()})
    assert load_checkpoint(path, SPEC).parent["last"].weight.dtype == np.float64
    assert read_npz(path)["float.last.weight"].dtype == np.float32


def test_memory_is_checked_like_files():
    with pytest.raises(RangeError, match=r"^float.a.bias must be finite, not inf at \[0\]$"):
        Checkpoint(parent={"a": LinearParameters(weight=np.ones((1, 2)), bias=np.array([np.inf]))})
    with pytest.raises(SpecError, match=r"^float.layer0.weight is missing$"):
        Checkpoint(parent={}).check(SPEC)
