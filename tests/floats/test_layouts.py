"""Checkpoints of PyTorch: the forward pass of fxsim is that of the module, whatever the layout."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from fxsim.cli import app
from fxsim.errors import FileError, LayoutWarning, MismatchError, RangeError, SpecError
from fxsim.files import read_npz, write_npz
from fxsim.floats.checkpoint import load_checkpoint, load_layouts, save_checkpoint
from fxsim.floats.expect import compare, expect
from fxsim.floats.forward import forward
from fxsim.floats.layouts import to_fxsim
from fxsim.spec import parse_spec
from tests.messages import raises

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections")  # says that it is slower


class Images(nn.Module):
    """Two convolutions, the second in groups, a pool, and two linear layers behind the flatten."""

    def __init__(self):
        super().__init__()
        self.layer0 = nn.Conv2d(2, 4, 3, padding=1)
        self.layer2 = nn.Conv2d(4, 6, 2, groups=2, bias=False)
        self.layer4 = nn.Linear(6 * 2 * 3, 7)
        self.layer5 = nn.Linear(7, 3)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.layer0(x)), 2)
        x = torch.relu(self.layer4(self.layer2(x).flatten(1)))
        return self.layer5(x)


class Joined(nn.Module):
    """An image, small and doubled next to itself, flattened next to a vector that comes from it."""

    def __init__(self):
        super().__init__()
        self.coarse = nn.Conv2d(2, 3, 2, stride=2)
        self.dense = nn.Linear(2 * 4 * 6, 5)
        self.last = nn.Linear(5 + 5 * 4 * 6, 3)

    def forward(self, x):
        doubled = nn.functional.interpolate(self.coarse(x), scale_factor=2, mode="nearest")
        image = torch.cat([doubled, x], dim=1)
        return self.last(torch.cat([self.dense(x.flatten(1)), image.flatten(1)], dim=1))


class Sequences(nn.Module):
    """Two LSTM layers, the second with a projection, and a linear one."""

    def __init__(self):
        super().__init__()
        self.layer0 = nn.LSTM(5, 4, batch_first=True)
        self.layer1 = nn.LSTM(4, 6, proj_size=3, batch_first=True)
        self.layer2 = nn.Linear(3, 2)

    def forward(self, x):
        return self.layer2(self.layer1(self.layer0(x)[0])[0])


class Branches(nn.Module):
    """A flattened image that goes three ways: past two linear layers, and to the sum of them."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(2, 4, 3, padding=1)
        self.left = nn.Conv2d(4, 4, 1)
        self.wide = nn.Linear(4 * 4 * 3, 4 * 4 * 3)
        self.thin = nn.Linear(4 * 4 * 3, 5)
        self.thick = nn.Linear(5, 4 * 4 * 3)
        self.scores = nn.Linear(4 * 4 * 3, 3)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        x = (x + self.left(x)).flatten(1)
        one = self.wide(x) + self.thick(self.thin(x))
        return self.scores(x + one)


class Frames(nn.Module):
    """An LSTM behind the images of a sequence, and a way past it."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(2, 3, 3)
        self.cells = nn.LSTM(3 * 2 * 2, 4, batch_first=True)
        self.past = nn.Linear(3 * 2 * 2, 4)

    def forward(self, x):
        frames = self.stem(x.flatten(0, 1)).flatten(1).unflatten(0, x.shape[:2])
        return self.cells(frames)[0] + self.past(frames)


class Plain(nn.Module):
    """Fully connected: nothing has another order."""

    def __init__(self):
        super().__init__()
        self.layer0 = nn.Linear(4, 3)

    def forward(self, x):
        return self.layer0(x)


IMAGES = [
    {"type": "convolution", "units": 4, "kernel": 3, "padding": 1, "nonlinearity": "relu"},
    {"type": "max_pool", "kernel": 2},
    {"type": "convolution", "units": 6, "kernel": 2, "groups": 2},
    {"type": "flatten"},
    {"type": "linear", "units": 7, "nonlinearity": "relu"},
    {"type": "linear", "units": 3},
]
JOINED = [
    {"type": "convolution", "name": "coarse", "units": 3, "kernel": 2, "stride": 2},
    {"type": "resize", "name": "doubled", "factor": 2},
    {"type": "concat", "name": "image", "sources": ["doubled", "input"]},
    {"type": "flatten", "name": "flat"},
    {"type": "flatten", "name": "taken", "sources": ["input"]},
    {"type": "linear", "name": "dense", "units": 5},
    {"type": "concat", "name": "both", "sources": ["dense", "flat"]},
    {"type": "linear", "name": "last", "units": 3},
]
SEQUENCES = [
    {"type": "lstm", "cells": 4},
    {"type": "lstm", "cells": 6, "projection": {"units": 3}},
    {"type": "linear", "units": 2},
]
BRANCHES = [
    IMAGES[0] | {"name": "stem"},
    {"type": "convolution", "name": "left", "units": 4, "kernel": 1},
    {"type": "add", "name": "both", "sources": ["stem", "left"]},
    {"type": "flatten", "name": "flat"},
    {"type": "linear", "name": "wide", "units": 48},
    {"type": "linear", "name": "thin", "units": 5, "sources": ["flat"]},
    {"type": "linear", "name": "thick", "units": 48},
    {"type": "add", "name": "one", "sources": ["thick", "wide"]},
    {"type": "add", "name": "every", "sources": ["one", "flat"]},
    {"type": "linear", "name": "scores", "units": 3},
]
FRAMES = [
    {"type": "convolution", "name": "stem", "units": 3, "kernel": 3},
    {"type": "flatten", "name": "flat"},
    {"type": "lstm", "name": "cells", "cells": 4},
    {"type": "linear", "name": "past", "units": 4, "sources": ["flat"]},
    {"type": "add", "name": "sum", "sources": ["past", "cells"]},
]


def spec_of(layers, shape):
    layers = [
        layer | ({"output": {}} if layer["type"] in {"convolution", "linear", "add"} else {})
        for layer in layers
    ]
    tree = {"name": "n", "data": "d", "input": {"shape": shape}, "layers": layers}
    return parse_spec(tree, "x.yaml")


CASES = {
    "images": (Images, spec_of(IMAGES, [2, 6, 8]), (9, 2, 6, 8)),
    "joined": (Joined, spec_of(JOINED, [2, 4, 6]), (9, 2, 4, 6)),
    "sequences": (Sequences, spec_of(SEQUENCES, [5]), (3, 11, 5)),
    "branches": (Branches, spec_of(BRANCHES, [2, 4, 3]), (9, 2, 4, 3)),
    "frames": (Frames, spec_of(FRAMES, [2, 4, 4]), (3, 5, 2, 4, 4)),
    "plain": (Plain, spec_of([{"type": "linear", "units": 3}], [4]), (9, 4)),
}
ORDERED = ["images", "joined", "sequences", "branches", "frames"]


def made(case):
    """Specification, state_dict as arrays, samples, and what PyTorch makes of them."""
    module, spec, shape = CASES[case]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = module()
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=0.5)
        x = torch.randn(*shape)
    with torch.no_grad():
        y = model(x)
    state = {name: array.numpy() for name, array in model.state_dict().items()}
    return spec, state, x.numpy(), y.numpy()


def stored(folder, state, layout):
    path = folder / "checkpoint.npz"
    write_npz(path, state if layout is None else state | {"layout": np.array(layout)})
    return path


def test_lstm_layers_added_to_an_image(tmp_path):
    """Rows of gates would have to be sorted, and what the layer takes from itself."""
    layers = [*FRAMES[:2], FRAMES[2] | {"cells": 12}]
    layers += [{"type": "add", "name": "sum", "sources": ["cells", "flat"]}]
    state = {name: np.zeros((48, 12), np.float32) for name in ("weight_ih_l0", "weight_hh_l0")}
    state = {f"cells.{name}": array for name, array in state.items()}
    state |= {"stem.weight": np.zeros((3, 2, 3, 3), np.float32)}
    message = (
        "cells.weight_ih_l0 must be in layout fxsim, not pytorch: what the layer yields is added to"
        " a flattened image"
    )
    path = stored(tmp_path, state, "pytorch")
    with raises(FileError, f"{path}: {message}"):
        load_checkpoint(path, spec_of(layers, [2, 4, 4]))


def without_shapes(spec, state):
    """A state_dict with the names and shapes of fxsim, and the order of PyTorch."""
    names = {
        "weight_ih_l0": "input.weight",
        "bias_ih_l0": "input.bias",
        "weight_hh_l0": "hidden.weight",
        "bias_hh_l0": "hidden.bias",
        "weight_hr_l0": "projection.weight",
    }
    found = {}
    for key, array in state.items():
        layer, kind = key.split(".")
        name = f"{layer}_{names[kind]}" if kind in names else key
        found[f"float.{name}"] = array.reshape(len(array), -1) if array.ndim > 1 else array
    for product in spec.products:
        found.setdefault(f"float.{product.name}.bias", np.zeros(product.outputs))
    return found


def agrees(spec, checkpoint, x, y):
    return np.abs(forward(spec, checkpoint.parent, x) - y).max() < 1e-5 * np.abs(y).max()


@pytest.mark.parametrize("case", CASES)
def test_a_state_dict_computes_what_the_module_does(tmp_path, case):
    spec, state, x, y = made(case)
    assert agrees(spec, load_checkpoint(stored(tmp_path, state, "pytorch"), spec), x, y)
    assert agrees(spec, load_checkpoint(stored(tmp_path, state, None), spec, "pytorch"), x, y)


@pytest.mark.parametrize("case", CASES)
def test_names_and_flat_weights_of_fxsim_will_do(tmp_path, case):
    spec, state, x, y = made(case)
    path = stored(tmp_path, without_shapes(spec, state), "pytorch")
    assert agrees(spec, load_checkpoint(path, spec), x, y)


@pytest.mark.parametrize("case", CASES)
def test_what_is_saved_is_fxsims_own_and_names_it(tmp_path, case):
    spec, state, x, y = made(case)
    checkpoint = load_checkpoint(stored(tmp_path, state, "pytorch"), spec)
    path = tmp_path / "own.npz"
    save_checkpoint(checkpoint, path)
    assert read_npz(path, text="layout")["layout"] == "fxsim"
    assert agrees(spec, load_checkpoint(path, spec), x, y)


@pytest.mark.parametrize("case", ORDERED)
def test_the_wrong_order_computes_another_network_and_is_found(tmp_path, case):
    spec, state, x, y = made(case)
    path = stored(tmp_path, without_shapes(spec, state), "fxsim")
    checkpoint, others = load_checkpoint(path, spec), load_layouts(path, spec)
    assert set(others) == {"fxsim", "pytorch"}
    seen = compare(spec, checkpoint, "fxsim", x, y)
    difference = np.abs(forward(spec, checkpoint.parent, x) - y)
    tolerance = 1e-4 * (y.max() - y.min())
    assert seen.tolerance == pytest.approx(tolerance)
    assert seen.first == tuple(np.argwhere(difference > tolerance)[0])
    np.testing.assert_allclose(
        seen.differences, difference.reshape(-1, y.shape[-1]).max(axis=0), rtol=1e-12
    )
    with pytest.raises(MismatchError, match=r"; outputs agree with layout 'pytorch'$"):
        expect(spec, checkpoint, "fxsim", x, y, others)


def test_a_lost_bias_agrees_with_no_layout(tmp_path):
    spec, state, x, y = made("plain")
    path = stored(tmp_path, state | {"layer0.bias": state["layer0.bias"] * 0}, "pytorch")
    checkpoint, others = load_checkpoint(path, spec), load_layouts(path, spec)
    first = 1.0 * forward(spec, checkpoint.parent, x)[0, 0]
    with raises(
        MismatchError,
        f"output 0 of sample 0 must be {y[0, 0]:.6g} within {1e-4 * np.ptp(y):.2g}, not"
        f" {first:.6g} (layout 'pytorch'); no layout agrees (tried pytorch)",
    ):
        expect(spec, checkpoint, "pytorch", x, y, {"pytorch": others["pytorch"]})


def test_outputs_that_are_an_image(tmp_path):
    """As PyTorch yields them, or flattened by it."""
    spec, state, x, _ = made("images")
    spec = spec.model_copy(update={"layers": spec.layers[:1]})
    state = {key: array for key, array in state.items() if key.startswith("layer0")}
    y = (
        nn.functional.conv2d(
            torch.from_numpy(x),
            *(torch.from_numpy(state[f"layer0.{k}"]) for k in ("weight", "bias")),
            padding=1,
        )
        .relu()
        .numpy()
    )
    checkpoint = load_checkpoint(stored(tmp_path, state, "pytorch"), spec)
    for expected in (y, y.reshape(len(y), -1)):
        assert compare(spec, checkpoint, "pytorch", x, expected).first is None
    assert compare(spec, checkpoint, "fxsim", x, y.reshape(len(y), -1)).first is not None


def test_no_samples_to_expect(tmp_path):
    """One line, also for images, which pass the layers a few at a time."""
    for case in CASES:
        spec, state, x, y = made(case)
        checkpoint = load_checkpoint(stored(tmp_path, state, "pytorch"), spec)
        message = f"x must hold at least one sample, not have shape {x[:0].shape}"
        with raises(RangeError, message):
            compare(spec, checkpoint, "pytorch", x[:0], y[:0])
        assert forward(spec, checkpoint.parent, x[:0]).shape[0] == 0


@pytest.mark.parametrize("case", ORDERED)
def test_a_file_that_fits_another_layout_says_which(tmp_path, case):
    spec, state, *_ = made(case)
    path = stored(tmp_path, state, None)
    with pytest.raises(
        FileError, match=r" is missing; the file fits layout 'pytorch': name it there as 'layout'$"
    ):
        load_checkpoint(path, spec)
    state = {f"float.{key}": array for key, array in state.items()}
    if case == "images":
        path = stored(tmp_path, state, "fxsim")
        with pytest.raises(
            FileError,
            match=r"must have shape \(4, 18\), not \(4, 2, 3, 3\); the file fits layout 'pytorch'",
        ):
            load_checkpoint(path, spec)


def test_wrong_shapes_are_named(tmp_path):
    spec, state, *_ = made("images")
    for key, array, shape in (
        ("layer0.weight", np.zeros((4, 3, 3, 2)), "(4, 2, 3, 3)"),
        ("layer4.weight", np.zeros((7, 12)), "(7, 36)"),
    ):
        path = stored(tmp_path, state | {key: array}, "pytorch")
        with raises(
            FileError,
            f"{path}: {key} must have shape {shape} in layout pytorch, not {array.shape}",
        ):
            load_checkpoint(path, spec)
    path = stored(tmp_path, state | {"momentum": np.zeros(3)}, "pytorch")
    with raises(FileError, f"{path}: unknown array 'momentum'"):
        load_checkpoint(path, spec)
    path = stored(tmp_path, state, "keras")
    with raises(FileError, f"{path}: layout must be 'fxsim' or 'pytorch', not 'keras'"):
        load_checkpoint(path, spec)
    write_npz(path, state | {"layout": np.zeros(1)})
    with raises(FileError, f"{path}: layout.npy: must hold text, not float64"):
        load_checkpoint(path, spec)


@pytest.mark.parametrize(
    ("shape", "named"), [([18], "other"), ([1, 6, 3], "second"), ([3, 3, 2], "sum")]
)
def test_orders_that_no_rows_of_weights_bring_together(shape, named):
    """An input, and flattened images of other shapes, are summed with one channel by channel."""
    out = {"output": {"bits": 8}}
    layers = [
        {"name": "first", "type": "flatten", "sources": ["image"]},
        {"name": "second", "type": "flatten", "sources": ["other"]},
        {"name": "sum", "type": "add", "sources": ["first", "second"]} | out,
        {"name": "scores", "type": "linear", "units": 3},
    ]
    if len(shape) == 1:
        del layers[1]
        layers[1]["sources"] = ["first", "other"]
    inputs = {"image": {"shape": [2, 3, 3]}, "other": {"shape": shape}}
    value = {"name": "n", "data": "none", "inputs": inputs, "layers": layers}
    spec = parse_spec(value, "x.yaml")
    arrays = {"scores.weight": np.zeros((3, 18)), "scores.bias": np.zeros(3)}
    with pytest.raises(SpecError, match=f"^'{named}' must have the order of the flattened image"):
        to_fxsim(arrays, "pytorch", spec)


COLUMNS = "columns of convolutions are ky, kx, channel"


@pytest.mark.parametrize(
    ("case", "orders"),
    [
        (
            "images",
            f"{COLUMNS}; flattened images are row, column, channel",
        ),
        ("sequences", "gates are i, f, o, g"),
    ],
)
def test_a_file_without_a_layout_says_what_it_is_taken_for(tmp_path, case, orders):
    spec, state, *_ = made(case)
    path = stored(tmp_path, without_shapes(spec, state), None)
    with pytest.warns(LayoutWarning) as seen:
        load_checkpoint(path, spec)
    (warning,) = seen
    assert str(warning.message) == (
        f"{path}: names no layout and is taken for fxsim's own, in which {orders}; add an array"
        " 'layout' that says 'fxsim' or 'pytorch'"
    )


def test_samples_and_outputs_must_fit(tmp_path):
    spec, state, x, y = made("plain")
    checkpoint = load_checkpoint(stored(tmp_path, state, None), spec, "pytorch")
    with raises(RangeError, "x must have shape (n, 4), not (9, 3)"):
        compare(spec, checkpoint, "pytorch", x[:, :3], y)
    with raises(RangeError, "y must have shape (9, 3) for these samples, not (8, 3)"):
        compare(spec, checkpoint, "pytorch", x, y[:8])
    with raises(RangeError, "y must be finite"):
        compare(spec, checkpoint, "pytorch", x, y * np.nan)


DIGITS = """
name: n
data: digits
input: {shape: [1, 8, 8]}
layers:
  - {type: convolution, units: 3, kernel: 3, nonlinearity: relu, output: {}}
  - {type: flatten}
  - {type: linear, units: 10}
"""


def test_the_command_writes_nothing_unless_outputs_agree(tmp_path):
    (tmp_path / "spec.yaml").write_text(DIGITS)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        first, last = nn.Conv2d(1, 3, 3), nn.Linear(3 * 6 * 6, 10)
        x = torch.rand(5, 1, 8, 8)
    with torch.no_grad():
        y = last(torch.relu(first(x)).flatten(1))
    np.save(tmp_path / "x.npy", x.numpy())
    np.save(tmp_path / "y.npy", y.numpy())
    state = {f"layer0.{key}": value for key, value in first.state_dict().items()}
    state |= {f"layer2.{key}": value for key, value in last.state_dict().items()}
    state = {key: value.numpy() for key, value in state.items()}
    flat = {f"float.{k}": v.reshape(len(v), -1) if v.ndim > 1 else v for k, v in state.items()}
    path = stored(tmp_path, flat, "fxsim")
    out = tmp_path / "out"
    command = ["quantize", str(tmp_path / "spec.yaml"), "-o", str(out)]
    given = ["--expect", str(tmp_path / "x.npy"), str(tmp_path / "y.npy")]
    result = CliRunner().invoke(app, [*command, *given])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {path}: output 0 of sample 0 must be {y[0, 0]:.6g} ")
    assert result.stderr.endswith("(layout 'fxsim'); outputs agree with layout 'pytorch'\n")
    assert not out.exists()
    result = CliRunner().invoke(app, [*command, *given, "--layout", "pytorch", "--json"])
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)["expected"]
    assert facts["samples"] == 5
    assert [row["output"] for row in facts["outputs"]] == list(range(10))
    assert max(row["greatest_difference"] for row in facts["outputs"]) < 1e-5
    assert (out / "network.yaml").exists()
    stored(tmp_path, state, "pytorch")
    result = CliRunner().invoke(app, [*command, *given])
    assert result.exit_code == 0, result.output
    assert "greatest difference" in result.stdout
    result = CliRunner().invoke(app, [*command, "--layout", "keras"])
    assert result.exit_code == 2
    assert "must be one of fxsim, pytorch" in result.stderr
