"""A PyTorch model with batch normalisation: the lines that fold it, and the error without them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from fxsim.errors import FileError
from fxsim.floats.checkpoint import load_checkpoint
from fxsim.floats.expect import compare
from tests.floats.test_layouts import made, spec_of, stored
from tests.messages import raises
from tests.places import ROOT

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections")  # says that it is slower


class Normalised(nn.Module):
    """A convolution without a bias and a linear layer with one, both with batch normalisation."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(4, eps=0.1)
        self.fc1 = nn.Linear(4 * 4 * 6, 5)
        self.bn2 = nn.BatchNorm1d(5)
        self.fc2 = nn.Linear(5, 3)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        return self.fc2(torch.relu(self.bn2(self.fc1(x.flatten(1)))))


NORMALISED = [
    {"name": "conv1", "type": "convolution", "units": 4, "kernel": 3, "batch_norm": True},
    {"type": "flatten"},
    {"name": "fc1", "type": "linear", "units": 5, "batch_norm": True},
    {"name": "fc2", "type": "linear", "units": 3},
]
for _layer in NORMALISED[0], NORMALISED[2]:
    _layer["nonlinearity"] = "relu"


@pytest.fixture
def normalised():
    """A model with statistics and parameters of any size, its specification and samples."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Normalised()
        x = torch.randn(9, 2, 6, 8)
        for name, tensor in model.state_dict().items():
            if name.endswith("running_var"):
                tensor.uniform_(0.1, 3)
            elif tensor.is_floating_point():
                tensor.normal_()
    return model.eval(), spec_of(NORMALISED, [2, 6, 8]), x


def test_the_page_folds_batch_normalisation(normalised, tmp_path, monkeypatch):
    """The lines of docs/checkpoints.md, as they stand there."""
    model, spec, x = normalised
    page = (ROOT / "docs" / "checkpoints.md").read_text()
    (code,) = [
        part for part in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "bn1" in part
    ]
    monkeypatch.chdir(tmp_path)
    exec(code, {"model": model})
    with torch.no_grad():
        y = model(x).numpy()
    seen = compare(spec, load_checkpoint(Path("checkpoint.npz"), spec), "pytorch", x.numpy(), y)
    assert seen.first is None
    assert seen.differences.max() < 1e-5 * np.ptp(y)


def test_missing_arrays_are_named_as_in_the_file(normalised, tmp_path):
    model, spec, _ = normalised
    state = {name: array.numpy() for name, array in model.state_dict().items()}
    path = stored(tmp_path, state, "pytorch")
    fold = "batch normalisation must be folded into gain and bias (docs/checkpoints.md)"
    with raises(
        FileError, f"{path}: conv1.gain is missing: {fold}; the file has {', '.join(state)}"
    ):
        load_checkpoint(path, spec)
    path = stored(tmp_path, {f"float.{name}": array for name, array in state.items()}, "pytorch")
    with pytest.raises(
        FileError, match=r"npz: float\.conv1\.gain is missing: .* float\.conv1\.weight,"
    ):
        load_checkpoint(path, spec)
    spec, state, *_ = made("sequences")
    del state["layer1.weight_hr_l0"]
    path = stored(tmp_path, state, "pytorch")
    with raises(
        FileError, f"{path}: layer1.weight_hr_l0 is missing; the file has {', '.join(state)}"
    ):
        load_checkpoint(path, spec)
    spec, state, *_ = made("plain")
    state["layer0.wait"] = state["layer0.bias"]
    with raises(FileError, f"{path}: unknown array 'layer0.wait'; expected 'layer0.weight'"):
        load_checkpoint(stored(tmp_path, state, "pytorch"), spec)
    many = {f"a{k}": np.zeros(1) for k in range(50)}
    with pytest.raises(FileError, match=r"layer0\.weight is missing; .* a39 and 10 more$"):
        load_checkpoint(stored(tmp_path, many, "pytorch"), spec)
