import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from fxsim.data import load
from fxsim.data.dataset import Dataset, Split
from fxsim.errors import RangeError, SpecError
from fxsim.floats.checkpoint import load_checkpoint, save_checkpoint
from fxsim.floats.forward import forward
from fxsim.floats.scores import accuracy
from fxsim.quantizer.quantizer import (
    integer_weight,
    quantize,
    quantized_parameters,
    uses_retrained,
    weight_scale,
)
from fxsim.spec.specification import LinearSpec, WeightsSpec, parse_spec
from fxsim.training import Progress, step_sizes, train
from fxsim.training.module import Network
from fxsim.training.product import QuantizeWeight


def make_spec(retrain=None, per="channel", **train):
    return parse_spec(
        {
            "name": "n",
            "data": "digits",
            "input": {"shape": [64]},
            "layers": [
                {
                    "type": "linear",
                    "units": 24,
                    "weights": {"levels": 3, "per": per},
                    "nonlinearity": "relu",
                    "output": {},
                },
                {"type": "linear", "units": 10, "weights": {"levels": 7}},
            ],
            "train": {"epochs": 6, "batch": 64, "optimizer": {"lr": 0.05}} | train,
        }
        | ({"retrain": retrain} if retrain else {}),
        "test",
    )


def same(a, b):
    a, b = a.arrays(), b.arrays()
    return a.keys() == b.keys() and all(np.array_equal(a[key], b[key]) for key in a)


SCHEMES = [
    *((levels, "symmetric") for levels in (3, 7, 15, 255)),
    (256, "asymmetric"),
    (2, "binary"),
    *((levels, "power_of_two") for levels in (5, 7, 9, 11, 13)),
]


@pytest.mark.parametrize(("levels", "scheme"), SCHEMES)
@pytest.mark.parametrize("per", ["tensor", "channel"])
def test_the_quantizer_of_training_is_the_one_of_quantize(levels, scheme, per):
    torch.manual_seed(levels)
    weight = torch.randn(20, 30)
    spec = LinearSpec(
        type="linear", units=20, weights=WeightsSpec(levels=levels, scheme=scheme, per=per)
    )
    scale = weight_scale(weight.numpy(), spec)
    q = integer_weight(weight.numpy(), scale, spec)
    quantized = QuantizeWeight.apply(weight, torch.from_numpy(scale), spec)
    assert quantized.dtype == torch.float32
    np.testing.assert_array_equal(quantized.numpy(), (scale[:, None] * q).astype(np.float32))
    np.testing.assert_array_equal(np.rint(quantized.numpy() / scale[:, None]), q)


def test_gradients_see_quantized_weights_and_pass_straight_through():
    network = Network(make_spec())
    network.eval()
    step_sizes.refresh(network, "l2")
    first, last = network.linears()
    x = torch.randn(5, 64)
    hidden = torch.relu(x @ _quantized(first).T + first.bias)
    assert torch.allclose(network(x), hidden @ _quantized(last).T + last.bias, atol=1e-6)
    network(x).sum().backward()
    outer = torch.ones(5, 10)
    assert torch.allclose(last.weight.grad, outer.T @ hidden, atol=1e-4)
    back = (outer @ _quantized(last)) * (hidden > 0)
    assert torch.allclose(first.weight.grad, back.T @ x, atol=1e-4)


@pytest.mark.parametrize(("levels", "scheme"), [(2, "binary"), (9, "power_of_two")])
@pytest.mark.parametrize("gradual", [[], [15]])
def test_other_codes_are_retrained_stored_and_used(tmp_path, levels, scheme, gradual):
    """On the way down the levels are evenly spaced; the last ones are those of the code."""
    retrain = {"epochs": 3, "optimizer": {"lr": 0.02}, "gradual": gradual}
    value = make_spec(retrain, epochs=4).model_dump(mode="json")
    value["layers"][0]["weights"] = {"levels": levels, "scheme": scheme, "per": "channel"}
    spec, digits = parse_spec(value, "test"), load("digits")
    save_checkpoint(train(spec, digits), tmp_path / "checkpoint.npz")
    checkpoint = load_checkpoint(tmp_path / "checkpoint.npz", spec)
    assert uses_retrained(spec, checkpoint)
    value["layers"][0]["weights"] = {"levels": 9 if levels == 9 else 3, "per": "channel"}
    assert not uses_retrained(parse_spec(value, "test"), checkpoint)
    network = quantize(spec, checkpoint, digits.train.x)
    assert network.linears[0].code == spec.layers[0].weights.code
    x, y = digits.train.x, digits.train.y
    direct = accuracy(forward(spec, quantized_parameters(spec, checkpoint, direct=True), x), y)
    retrained = accuracy(forward(spec, quantized_parameters(spec, checkpoint), x), y)
    assert retrained > direct
    assert retrained > 0.8


def _quantized(linear):
    weight = linear.weight.detach()
    return QuantizeWeight.apply(weight, torch.from_numpy(linear.scale), linear.spec)


@pytest.mark.parametrize("scheme", ["fixed", "adaptive"])
def test_two_runs_give_identical_arrays(scheme):
    spec = make_spec({"scheme": scheme, "epochs": 3}, dropout=0.2, epochs=2)
    digits = load("digits")
    torch.manual_seed(5)
    first = train(spec, digits)
    torch.rand(7)  # the state outside does not matter
    assert same(first, train(spec, digits))
    other = make_spec({"scheme": scheme, "epochs": 3}, dropout=0.2, epochs=2, seed=2)
    assert not same(first, train(other, digits))


def test_the_state_of_torch_is_left_alone():
    torch.manual_seed(9)
    threads, expected = torch.get_num_threads(), torch.rand(4)
    torch.manual_seed(9)
    train(make_spec(epochs=1), load("digits"))
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.rand(4), expected)


def test_only_the_training_split_is_used():
    spec, digits = make_spec({"epochs": 1}, epochs=1), load("digits")
    nothing = Split(np.full((3, 64), np.nan), np.zeros(3, dtype=np.int64))
    assert same(train(spec, digits), train(spec, replace(digits, test=nothing)))


def test_training_learns_and_retraining_repairs_direct_quantization():
    spec = make_spec({"epochs": 6, "optimizer": {"lr": 0.02}}, epochs=12)
    digits = load("digits")
    epochs: list[Progress] = []
    checkpoint = train(spec, digits, epochs.append)
    x, y = digits.train.x, digits.train.y
    parent = accuracy(forward(spec, checkpoint.parent, x), y)
    direct = accuracy(forward(spec, quantized_parameters(spec, checkpoint, direct=True), x), y)
    retrained = accuracy(forward(spec, quantized_parameters(spec, checkpoint), x), y)
    assert parent > 0.94
    assert direct < parent - 0.04
    assert retrained > direct + 0.02
    assert [(e.stage, e.epoch, e.epochs) for e in epochs] == [
        *(("float", i + 1, 12) for i in range(12)),
        *(("retrain", i + 1, 6) for i in range(6)),
    ]
    assert epochs[11].loss < epochs[0].loss
    assert epochs[11].accuracy > epochs[0].accuracy


def test_a_fixed_step_is_the_optimum_of_the_parent_and_an_adaptive_one_is_not_refreshed_late():
    digits = load("digits")
    fixed = train(make_spec({"epochs": 4}, epochs=2), digits)
    adaptive = train(make_spec({"epochs": 4, "scheme": "adaptive"}, epochs=2), digits)
    for i, name in enumerate(("layer0", "layer1")):
        layer = make_spec().layers[i]
        scale = fixed.retrained[name].scale
        np.testing.assert_array_equal(scale, weight_scale(fixed.parent[name].weight, layer))
        assert (adaptive.retrained[name].scale != scale).all()
        late = weight_scale(adaptive.retrained[name].weight, layer)
        assert (adaptive.retrained[name].scale != late).all()


def test_without_a_recipe_there_is_no_retraining():
    assert train(make_spec(epochs=1), load("digits")).retrained is None


def test_adam_trains_too():
    spec = make_spec(epochs=8, optimizer={"type": "adam", "lr": 0.01})
    digits = load("digits")
    logits = forward(spec, train(spec, digits).parent, digits.train.x)
    assert accuracy(logits, digits.train.y) > 0.8


def test_data_that_do_not_fit_are_refused():
    digits = load("digits")
    flat = Split(np.zeros((4, 9)), np.zeros(4, dtype=np.int64))
    with pytest.raises(SpecError, match=r"^input.shape must be \[9\] for digits, not \[64\]$"):
        train(make_spec(), replace(digits, train=flat))
    with pytest.raises(SpecError, match=r"^layers\[1\].units must be 3, the classes of d, not 10$"):
        train(make_spec(), Dataset("d", digits.train, digits.test, 3))


def test_divergence_is_one_clear_line():
    spec = make_spec(optimizer={"lr": 1e20})
    with pytest.raises(RangeError, match=r"^loss must stay finite, not (nan|inf) in epoch 1"):
        train(spec, load("digits"))


@pytest.mark.parametrize("method", ["l2", "moments"])
def test_weights_that_are_not_finite_have_no_step_size(method):
    network = Network(make_spec())
    step_sizes.refresh(network, method)
    with torch.no_grad():
        network.linears()[0].weight[0, 0] = float("nan")
    with pytest.raises(RangeError, match=r"^weights must stay finite$"):
        step_sizes.refresh(network, method)


def test_without_torch_the_message_says_what_to_install():
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "import fxsim.quantizer, fxsim.data\n"
        "from fxsim.errors import MissingToolError\n"
        "try:\n    import fxsim.training\n"
        "except MissingToolError as error:\n    print(error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout == (
        "PyTorch is not installed; install it with: pip install 'fxsim[train]'\n"
    )
