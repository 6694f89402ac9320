"""Optimizers, schedules, step sizes and stages of training, and going on after an interruption."""

import hashlib
import io
from dataclasses import replace

import numpy as np
import pytest
import torch

from fxsim.data import load
from fxsim.data.dataset import Split
from fxsim.errors import FileError, SpecError
from fxsim.network import FloatArray
from fxsim.quantizer.quantizer import quantize_weight, weight_scale
from fxsim.spec import parse_spec
from fxsim.spec.train import OptimizerSpec, PlateauSpec, RetrainSpec, ScheduleSpec
from fxsim.training import Progress, step_sizes, train
from fxsim.training.module import Network
from fxsim.training.resume import TrainingState, load_state, save_state
from fxsim.training.schedule import Schedule, make_optimizer
from tests.messages import refusal


def make_spec(retrain=None, levels=3, per="tensor", multiplier_bits=16, **recipe):
    layers = [
        {"type": "linear", "units": 16, "nonlinearity": "relu", "output": {}},
        {"type": "linear", "units": 10},
    ]
    for layer in layers:
        layer["weights"] = {"levels": levels, "per": "tensor"}
    layers[0]["weights"]["per"] = per
    layers[0]["requantize"] = {"multiplier_bits": multiplier_bits}
    value = {"name": "n", "data": "digits", "input": {"shape": [64]}, "layers": layers}
    value["train"] = {"epochs": 2, "optimizer": {"lr": 0.05}} | recipe
    return parse_spec(value | ({} if retrain is None else {"retrain": retrain}), "test")


def with_validation(count=300):
    digits = load("digits")
    x, y = digits.train.x, digits.train.y
    return replace(
        digits, train=Split(x[count:], y[count:]), validation=Split(x[:count], y[:count])
    )


@pytest.mark.parametrize(
    ("spec", "update"),
    [
        # By the formulas of Hinton (rmsprop with momentum) and Zeiler 2012 (adadelta), g = 2 w.
        ({"type": "rmsprop", "lr": 0.1, "momentum": 0.5, "smoothing": 0.75}, 0.1 / 0.25**0.5),
        ({"type": "adadelta", "lr": 1.0, "smoothing": 0.75}, (1e-6 / (0.25 * 4)) ** 0.5 * 2),
        ({"type": "sgd", "lr": 0.1, "momentum": 0.5, "nesterov": True}, 0.1 * 2 * 1.5),
        ({"type": "sgd", "lr": 0.1, "momentum": 0.5, "nesterov": False}, 0.1 * 2),
    ],
)
def test_the_first_update_follows_the_formula(spec, update):
    module = torch.nn.Linear(1, 1, bias=False).double()
    torch.nn.init.ones_(module.weight)
    optimizer = make_optimizer(module, OptimizerSpec(**spec))
    module.weight.square().sum().backward()
    optimizer.step()
    assert 1 - module.weight.item() == pytest.approx(update, rel=1e-5)


def make_schedule(lr=1.0, steps=10, **spec):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    return optimizer, Schedule(optimizer, ScheduleSpec(**spec), steps)


def test_the_rate_falls_exponentially_to_its_end():
    optimizer, schedule = make_schedule(lr=0.5, steps=11, final_lr=0.01)
    rates = []
    for _ in range(11):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.after_update()
    np.testing.assert_allclose(rates, 0.5 * 0.01 ** (np.arange(11) / 10))


def test_a_plateau_halves_the_rate_after_four_evaluations_and_ends_the_stage():
    optimizer, schedule = make_schedule(lr=1.0, final_lr=0.25, plateau=PlateauSpec())
    rates, ends = [], []
    for loss in (5.0, 4.0, *[4.0] * 12):
        schedule.after_update()
        schedule.after_epoch(loss)
        rates.append(optimizer.param_groups[0]["lr"])
        ends.append(schedule.ended)
    assert rates == [1.0] * 5 + [0.5] * 4 + [0.25] * 4 + [0.125]
    assert ends == [False] * 13 + [True]


def test_early_stopping_counts_epochs_without_a_better_loss():
    _, schedule = make_schedule(early_stop=2)
    better = [schedule.after_epoch(loss) for loss in (3.0, 2.0, 2.5, 1.0, 1.0)]
    assert better == [True, True, False, True, False]
    assert not schedule.ended
    assert not schedule.after_epoch(7.0)
    assert schedule.ended


def test_early_stopping_goes_back_to_the_best_epoch():
    epochs: list[Progress] = []
    spec = make_spec(epochs=40, early_stop=3, optimizer={"lr": 0.4}, seed=3)
    data = with_validation()
    parent = train(spec, data, epochs.append).parent
    losses = [epoch.validation_loss for epoch in epochs]
    best = int(np.argmin(losses))
    assert len(epochs) == best + 4 < 40
    shorter = make_spec(epochs=best + 1, optimizer={"lr": 0.4}, seed=3)
    # The rate falls with the length of the recipe, so that only the loss can be compared.
    network = Network(shorter)
    for product, saved in zip(network.linears(), parent.values(), strict=True):
        product.load(saved)
    logits = network.eval()(torch.from_numpy(data.validation.x.astype(np.float32)))
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(data.validation.y))
    assert loss.item() == pytest.approx(losses[best], rel=1e-5)


@pytest.mark.parametrize(
    ("recipe", "updates"),
    [
        ({"scheme": "fixed"}, []),
        ({"scheme": "adaptive"}, [10, 20]),
        ({"scheme": "adaptive", "refreshes": 2}, [5, 10, 15, 20, 25]),
        ({"scheme": "first", "refreshes": 2}, [5, 10]),
        ({"scheme": "first"}, [1, 2, 4, 5, 6, 8, 9, 10]),
        ({"scheme": "first", "refreshes": 2, "epochs": 1}, [5]),
        ({"scheme": "adaptive", "epochs": 0}, []),
    ],
)
def test_steps_are_refreshed_where_the_scheme_says_and_never_at_the_end(recipe, updates):
    spec = RetrainSpec(**{"epochs": 6} | recipe)
    assert sorted(step_sizes.refresh_updates(spec, 10)) == updates


def test_moments_give_the_step_that_is_optimal_for_a_normal_distribution():
    # Steps of the prototype of the readings and of Lloyd-Max tables: 1.22, 0.65, 0.36 sigma.
    torch.manual_seed(1)
    for levels, step in ((3, 1.22), (7, 0.65), (15, 0.36)):
        network = Network(make_spec(levels=levels, per="channel"))
        first, last = network.linears()
        last.weight.data.zero_()
        step_sizes.choose(network, "moments", lambda: pytest.fail("needs no data"))
        rms = np.sqrt(np.square(first.array()).mean(axis=1))
        np.testing.assert_allclose(first.scale, step * rms, rtol=0.02)
        assert last.scale.tolist() == [1.0]


@pytest.mark.parametrize("multiplier_bits", [16, 0])
def test_the_search_finds_the_best_multiple_between_half_and_twice(multiplier_bits):
    spec = make_spec(levels=3, multiplier_bits=multiplier_bits)
    network = Network(spec)
    first, last = network.linears()
    start = [weight_scale(product.array(), product.layer) for product in (first, last)]
    goal = 1.4 * start[0][0]

    def loss() -> float:
        assert first.scale is not None
        assert last.scale is not None  # all products are quantized meanwhile
        return float(abs(np.log(first.scale[0] / goal)) + abs(np.log(last.scale[0] / start[1][0])))

    step_sizes.choose(network, "search", loss)
    candidates = start[0] * step_sizes._FACTORS
    if multiplier_bits == 0:
        assert np.frexp(first.scale[0])[0] == 0.5
    else:
        assert first.scale == candidates[np.abs(np.log(candidates / goal)).argmin()]
    assert last.scale == start[1]


def test_a_searched_step_without_retraining_is_direct_quantization_that_loses_less():
    data = with_validation()

    def run(step: str) -> tuple[float, dict[str, FloatArray]]:
        checkpoint = train(make_spec({"epochs": 0, "step": step}, epochs=6), data)
        network = Network(make_spec())
        for product, saved in zip(network.linears(), checkpoint.retrained.values(), strict=True):
            q = quantize_weight(saved.weight, saved.scale, product.layer.weights.magnitudes)
            product.weight.data[:] = torch.from_numpy(saved.scale[:, None] * q)
            product.bias.data[:] = torch.from_numpy(saved.bias)
        logits = network.eval()(torch.from_numpy(data.validation.x.astype(np.float32)))
        labels = torch.from_numpy(data.validation.y)
        scales = {name: saved.scale for name, saved in checkpoint.retrained.items()}
        for name, saved in checkpoint.retrained.items():
            np.testing.assert_array_equal(saved.weight, checkpoint.parent[name].weight)
        return torch.nn.functional.cross_entropy(logits, labels).item(), scales

    optimal, first = run("l2")
    searched, second = run("search")
    assert searched < optimal
    assert any((first[name] != second[name]).any() for name in first)


def test_gradual_retraining_steps_down_to_the_levels_of_the_layers():
    epochs: list[Progress] = []
    spec = make_spec({"gradual": [63, 7], "epochs": 2}, levels=15)
    checkpoint = train(spec, load("digits"), epochs.append)
    assert [(e.stage, e.epoch) for e in epochs] == [
        *(("float", 1), ("float", 2)),
        *(("retrain 63", 1), ("retrain 63", 2), ("retrain 7", 1), ("retrain 7", 2)),
        *(("retrain", 1), ("retrain", 2)),
    ]
    assert [saved.levels for saved in checkpoint.retrained.values()] == [15, 15]
    steps = [float(e.steps["layer0"][0]) for e in epochs[2:]]
    # 7 levels are fewer than the layer's 15, so that stage has 15 already: a step about 4 times
    # as large as that of 63 levels.
    assert steps[0] == steps[1] < steps[2] / 2
    assert steps[2] == pytest.approx(steps[4], rel=0.2)
    assert not epochs[0].steps


class Interruption(Exception):
    pass


@pytest.mark.parametrize("last", range(1, 8))
def test_an_interrupted_run_goes_on_to_the_same_result(last, tmp_path):
    recipe = {"gradual": [15], "epochs": 2, "scheme": "adaptive", "early_stop": 1}
    spec = make_spec(recipe, epochs=3, dropout=0.3, plateau={"patience": 1}, early_stop=5)
    data, path, done = with_validation(), tmp_path / "run.resume", []
    expected: list[Progress] = []
    whole = train(spec, data, expected.append)

    def interrupt(progress: Progress) -> None:
        done.append(progress)
        if len(done) == last:
            raise Interruption

    if last <= len(expected):
        with pytest.raises(Interruption):
            train(spec, data, interrupt, resume=path)
        assert path.exists()
    resumed = train(spec, data, done.append, resume=path)
    assert [(e.stage, e.epoch, e.loss) for e in done] == [
        (e.stage, e.epoch, e.loss) for e in expected
    ]
    a, b = whole.arrays(), resumed.arrays()
    assert a.keys() == b.keys()
    for key in a:
        np.testing.assert_array_equal(a[key], b[key])


def test_a_state_of_another_run_or_a_hostile_file_is_refused(tmp_path):
    path, digits = tmp_path / "run.resume", load("digits")
    train(make_spec(), digits, resume=path)
    another = "run.resume: is of a run that was interrupted with"
    with pytest.raises(
        FileError, match=rf"{another} recipe\.train\.seed 1, not 2; finish that one"
    ):
        train(make_spec(seed=2), digits, resume=path)
    with pytest.raises(FileError, match=rf'{another} SHA-256 of the data "\w+", not "\w+";'):
        train(make_spec(), with_validation(), resume=path)
    save_state(TrainingState(fingerprint="0123abcd"), tmp_path / "old")
    with pytest.raises(FileError, match=r"old: is of a run that was interrupted in an earlier fx"):
        train(make_spec(), digits, resume=tmp_path / "old")
    whole = path.read_bytes()
    for raw in (b"", b"text", whole[: len(whole) // 2]):
        path.write_bytes(raw)
        with pytest.raises(FileError, match=r"run.resume: .* its checksum is another"):
            train(make_spec(), digits, resume=path)

    class Hostile:
        def __reduce__(self):
            return print, ("code ran",)

    packed = io.BytesIO()
    torch.save({"fingerprint": Hostile()}, packed)
    path.write_bytes(packed.getvalue() + hashlib.sha256(packed.getvalue()).digest())
    with pytest.raises(FileError, match=r"run.resume: not a training state \("):
        load_state(path, "x")


def test_a_state_with_any_byte_changed_is_refused(tmp_path):
    path = tmp_path / "s"
    values = {"network": {"w": torch.arange(9)}, "best": None, "optimizer": {"lr": 0.1}}
    save_state(TrainingState(fingerprint="f", stage=1, values=values), path)
    whole = path.read_bytes()
    refusals = set()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        refusals.add(refusal(FileError, load_state, path, "f"))
    (message,) = refusals
    assert message == (
        f"{path}: must be a training state as it was written, but its checksum is another;"
        " remove the file to start anew"
    )


def test_a_state_is_read_as_it_was_written(tmp_path):
    state = TrainingState(fingerprint="f", stage=1, epoch=2, values={"a": torch.arange(3)})
    save_state(state, tmp_path / "s")
    again = load_state(tmp_path / "s", "f")
    assert (again.stage, again.epoch) == (1, 2)
    assert again.values["a"].tolist() == [0, 1, 2]
    assert load_state(tmp_path / "missing", "g") == TrainingState(fingerprint="g")


@pytest.mark.parametrize(
    ("retrain", "recipe", "message"),
    [
        ({"gradual": [63, 8]}, {}, r"levels must be odd, not 8 \(test: retrain.gradual\[1\]\)"),
        ({"gradual": [7, 63]}, {}, r"levels must fall, not go from 7 to 63 \(test: retrain.grad"),
        ({"refreshes": 2}, {}, r"refreshes must be left out with scheme: fixed \(test: retrain.r"),
        ({"step": "best"}, {}, r"step must be 'l2', 'moments' or 'search', not 'best' \(test: r"),
        (
            None,
            {"plateau": {"factor": 0.1}, "final_lr": 0.5},
            r"final_lr must be at most factor \(0.1\) with a plateau, not 0.5 \(test: train.final_",
        ),
        (None, {"plateau": {"patienc": 2}}, r"unknown key 'patienc'; did you mean 'patience'\?"),
        (
            None,
            {"optimizer": {"type": "adam", "momentum": 0.5}},
            r"^momentum must be left out with type: adam \(test: train.optimizer.momentum\)$",
        ),
        (
            {"optimizer": {"type": "rmsprop", "nesterov": False}},
            {},
            r"^nesterov must be left out with type: rmsprop \(test: retrain.optimizer.nesterov\)$",
        ),
        (None, {"optimizer": {"type": "rms"}}, r"type must be 'sgd', 'rmsprop', 'adam' or 'ada"),
    ],
)
def test_recipes_that_make_no_sense_are_refused(retrain, recipe, message):
    with pytest.raises(SpecError, match=message):
        make_spec(retrain, **recipe)


def test_a_float_layer_is_trained_on_and_quantized_at_the_end():
    data, recipe = load("digits"), {"epochs": 2, "float_layers": ["layer1"]}
    seen: list[Progress] = []
    spec = make_spec(recipe)
    saved = train(spec, data, seen.append).retrained["layer1"]
    assert set(seen[-1].steps) == {"layer0"}
    np.testing.assert_array_equal(saved.scale, weight_scale(saved.weight, spec.layers[1]))
    with pytest.raises(SpecError, match=r"float_layers must name layers \(layer0, layer1\)"):
        make_spec({"float_layers": ["x"]})


def test_training_starts_from_given_parameters():
    data = load("digits")
    whole = train(make_spec({"epochs": 2}), data)
    kept = train(make_spec(epochs=0), data, start=whole.parent).parent
    for name, parameters in whole.parent.items():
        np.testing.assert_array_equal(kept[name].weight, parameters.weight)
    further = train(make_spec(epochs=1), data, start=whole.parent).parent
    assert (further["layer0"].weight != whole.parent["layer0"].weight).any()
    retrained = train(make_spec({"epochs": 0}, epochs=0), data, start=whole.parent).retrained
    for name, parameters in whole.parent.items():
        np.testing.assert_array_equal(retrained[name].weight, parameters.weight)
    with pytest.raises(SpecError, match=r"^float.layer1.weight is missing$"):
        train(make_spec(), data, start={"layer0": whole.parent["layer0"]})
