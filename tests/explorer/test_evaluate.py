import random
from dataclasses import replace

import numpy as np
import pytest

from fxsim import reference
from fxsim.data import Split
from fxsim.errors import SpecError
from fxsim.explorer import evaluate as module
from fxsim.explorer.evaluate import Evaluator
from fxsim.explorer.job import make_job
from fxsim.explorer.memory import Memory
from fxsim.explorer.metrics import layer_energy
from fxsim.explorer.space import parse_space
from fxsim.floats.forward import forward
from fxsim.network.storage import network_hash
from fxsim.quantizer import quantize, quantize_input
from fxsim.simulator.evaluate import accuracy, bits_per_character
from tests.explorer.small import make, make_dataset
from tests.two_layers import make_checkpoint, make_spec


def test_every_point_is_the_network_that_quantize_makes_and_has_its_accuracy():
    job = make()
    evaluator, points = Evaluator(job), list(job.space)
    random.Random(1).shuffle(points)
    for choices in points:
        fresh = quantize(job.space.apply(choices), job.checkpoint, job.calibration, direct=True)
        assert network_hash(evaluator.network(choices)) == network_hash(fresh)
        found = evaluator(choices)
        assert found["error"] == 1.0 - accuracy(fresh, job.validation)
        assert found["loss"] == bits_per_character(fresh, job.validation)


def test_the_error_is_that_of_the_reference_interpreter():
    job = make()
    evaluator = Evaluator(job)
    for choices in ((0, 0, 0, 0), (2, 1, 1, 1), (1, 2, 0, 1)):
        network = evaluator.network(choices)
        rows = quantize_input(network.input, job.validation.x).tolist()
        answers = [np.argmax(reference.run(network, row)[-1].activations) for row in rows]
        assert evaluator(choices)["error"] == 1.0 - np.mean(answers == job.validation.y)


def test_points_reuse_the_layers_before_the_change(monkeypatch):
    job = make()
    evaluator, runs = Evaluator(job), []
    run = module.run_layer
    monkeypatch.setattr(
        module, "run_layer", lambda layer, x: runs.append(layer.name) or run(layer, x)
    )
    evaluator((2, 2, 2, 1))
    assert runs == ["layer0", "layer1"]
    evaluator((2, 2, 2, 0))  # other weights in the last layer
    assert runs == ["layer0", "layer1", "layer1"]
    evaluator((2, 2, 2, 1))
    assert len(runs) == 3
    evaluator((0, 2, 2, 1))  # another input
    assert runs[3:] == ["layer0", "layer1"]


FOLDING = {"rows": {"set": ["layers[0].hardware.simd"], "to": [1, 2, 4]}}


@pytest.mark.parametrize(("overflow", "runs"), [("wide", 1), ("wrap", 1), ("saturate", 3)])
def test_folding_is_simulated_anew_only_where_it_is_arithmetic(monkeypatch, overflow, runs):
    accumulator = {"overflow": overflow} | ({} if overflow == "wide" else {"bits": 9})
    spec = make_spec(first={"accumulator": accumulator})
    job = make(spec, variables=FOLDING)
    evaluator, seen = Evaluator(job), []
    run = module.run_layer
    monkeypatch.setattr(
        module, "run_layer", lambda layer, x: seen.append(layer.name) or run(layer, x)
    )
    for choices in job.space:
        fresh = quantize(job.space.apply(choices), job.checkpoint, job.calibration, direct=True)
        found = evaluator(choices)
        assert found["error"] == 1.0 - accuracy(fresh, job.validation)
        assert network_hash(evaluator.network(choices)) == network_hash(fresh)
    assert seen.count("layer0") == runs


def test_an_impossible_point_is_a_result_with_a_reason():
    space = {
        "per": {"set": ["layers[0].weights.per"], "to": ["tensor", "channel"]},
        "multiplier": {"set": ["layers[0].requantize.multiplier_bits"], "to": [0, 16]},
    }
    evaluator = Evaluator(make(variables=space))
    assert isinstance(evaluator((0, 0)), dict)
    assert evaluator((1, 0)).startswith("per must be 'tensor' with a plain shift")


def test_nothing_is_chosen_on_the_test_split():
    spec = make_spec()
    dataset = make_dataset(spec)
    job = make_job(make().space, make_checkpoint(spec), dataset)
    assert job.validation is dataset.validation
    other = replace(dataset, test=Split(dataset.test.x[:3], dataset.test.y[:3]))
    assert make_job(make().space, make_checkpoint(spec), other).hash == job.hash
    with pytest.raises(SpecError, match=r"^d must have a validation split to choose word lengths"):
        make_job(make().space, make_checkpoint(spec), replace(dataset, validation=None))
    logits = forward(spec, job.checkpoint.parent, job.validation.x)
    assert job.float_error == 1.0 - np.mean(logits.argmax(axis=1) == job.validation.y)


def test_the_hash_is_that_of_everything_that_counts():
    base = make()
    assert base.hash == make().hash
    others = [
        make(objectives=["error", "energy"]),
        make(make_spec(name="other")),
        make_job(base.space, make_checkpoint(base.space.spec, seed=9), make_dataset(make_spec())),
        make_job(base.space, base.checkpoint, make_dataset(make_spec(), n=84)),
        make_job(base.space, base.checkpoint, make_dataset(make_spec()), direct=False),
    ]
    assert len({base.hash, *(job.hash for job in others)}) == 6


def test_energy_is_the_sum_of_the_stated_model():
    layer = Evaluator(make()).network((2, 2, 2, 1)).layers[0]
    bits = layer.accumulator.format.bits
    weight = 12 * 8 * (8 * 10 / 64 + 0.03 / 8 * bits + 0.2 / 64 * 8 * 8)
    output = 12 * (0.2 / 64 * bits * 16 + 0.03 / 8 * bits)
    assert layer_energy(layer) == pytest.approx(weight + output, rel=1e-12)


def test_memory_forgets_what_was_used_least_recently():
    memory, made = Memory(limit=3 * 1100), []

    def get(key):
        return memory(key, lambda: made.append(key) or np.zeros(8))

    for key in "abcacdc":
        get(key)
    assert made == list("abcd")
    get("a")
    get("b")
    assert made == list("abcdb")
    with pytest.raises(ZeroDivisionError):
        memory("z", lambda: 1 / 0)
    assert memory("z", lambda: 5) == 5


def test_weights_are_quantized_once_for_each_number_of_levels(monkeypatch):
    from fxsim.quantizer import quantizer

    counted = []
    scale = quantizer.weight_scale
    monkeypatch.setattr(
        quantizer, "weight_scale", lambda w, layer: counted.append(w.shape) or scale(w, layer)
    )
    evaluator = Evaluator(make())
    for choices in evaluator.job.space:
        evaluator(choices)
    assert counted.count((12, 8)) == 3
    assert counted.count((5, 12)) == 2


def test_spaces_of_one_point_work():
    spec = make_spec()
    space = parse_space(spec, {"variables": {"v": {"set": ["input.bits"], "to": [8]}}}, "t")
    assert Evaluator(make_job(space, make_checkpoint(spec), make_dataset(spec)))((0,))["error"] >= 0
