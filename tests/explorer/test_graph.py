"""Exploration of graphs: a branch that a point leaves alone is neither quantized nor run again."""

from __future__ import annotations

from fxsim.data import Dataset, Split
from fxsim.errors import SpecError
from fxsim.explorer import evaluate as module
from fxsim.explorer.evaluate import Evaluator
from fxsim.explorer.finish import scores
from fxsim.explorer.job import make_job
from fxsim.explorer.space import parse_space
from fxsim.floats.checkpoint import Checkpoint
from fxsim.floats.forward import forward, forward_outputs
from fxsim.network.storage import network_hash
from fxsim.quantizer import quantize
from fxsim.simulator.evaluate import accuracy, bits_per_character
from tests.graph_specs import OUT, case
from tests.messages import raises

LINEAR = {"type": "linear", "units": 6} | OUT
FINE = {"requantize": {"multiplier_bits": 24}}
LAYERS = [
    LINEAR | {"name": "stem"},
    LINEAR | {"name": "left"},
    LINEAR | {"name": "right", "sources": ["stem"]},
    {"type": "add", "name": "sum", "sources": ["left", "right", "stem"]} | OUT | FINE,
    LINEAR | {"name": "scores", "units": 3},
    {"type": "argmax", "name": "answer"},
]
SPACE = {
    "variables": {
        "left": {"set": ["layers[1].output.bits"], "to": [4, 12]},
        "right": {"set": ["layers[2].output.bits"], "to": [4, 12]},
    },
    "objectives": ["error", "loss"],
}


def job_of(layers, **keys):
    value = {"name": "n", "data": "d", "input": {"shape": [5], "signed": True}, "layers": layers}
    spec, parameters, samples = case(value | keys, count=90)
    x = samples["input"]
    split = Split(x, forward_outputs(spec, parameters, x)["answer"].argmax(axis=-1))
    data = Dataset("d", split, split, 3, validation=split)
    return make_job(parse_space(spec, SPACE, "x"), Checkpoint(parent=parameters), data)


def test_points_share_branches(monkeypatch):
    job = job_of(LAYERS)
    evaluator, runs = Evaluator(job), []
    run = module.run_layer
    monkeypatch.setattr(
        module, "run_layer", lambda layer, *x: runs.append(layer.name) or run(layer, *x)
    )
    for choices, expected in (
        ((0, 0), {"stem", "left", "right", "sum", "scores"}),
        ((1, 0), {"left", "sum", "scores"}),
        ((1, 1), {"right", "sum", "scores"}),
        ((0, 1), {"sum", "scores"}),
        ((0, 0), set()),
    ):
        found = evaluator(choices)
        assert set(runs) == expected
        runs.clear()
        fresh = quantize(job.space.apply(choices), job.checkpoint, job.calibration, direct=True)
        assert network_hash(evaluator.network(choices)) == network_hash(fresh)
        assert found["error"] == 1.0 - accuracy(fresh, job.validation)


def test_test_scores_of_an_argmax_are_those_of_what_enters_it():
    """The split is that of the evaluator, which goes by layers of the specification."""
    job = job_of(LAYERS)
    for choices in job.space:
        found = Evaluator(job)(choices)
        again = scores(Evaluator(job).network(choices), job.validation)
        assert again == {"error": found["error"], "loss": found["loss"]}


def test_rescales_of_a_concat_run_with_it():
    """They are no layers of the specification, so they depend on what the concat does."""
    joined = {"type": "concat", "name": "sum", "sources": ["left", "right", "stem"]} | FINE
    layers = [joined if layer["name"] == "sum" else layer for layer in LAYERS]
    evaluator = Evaluator(job_of(layers))
    for choices in ((0, 0), (1, 0), (0, 1)):
        job, found = evaluator.job, evaluator(choices)
        fresh = quantize(job.space.apply(choices), job.checkpoint, job.calibration, direct=True)
        assert any(layer.name.startswith("sum_") for layer in fresh.layers)
        assert network_hash(evaluator.network(choices)) == network_hash(fresh)
        assert found["error"] == 1.0 - accuracy(fresh, job.validation)


def test_recurrent_branches():
    """State in one branch, images before it."""
    layers = [
        {"type": "convolution", "name": "stem", "units": 2, "kernel": 3} | OUT,
        {"type": "flatten", "name": "left"},
        LINEAR | {"name": "right"},
        {"type": "lstm", "name": "cells", "cells": 6, "sources": ["left"]},
        {"type": "add", "name": "sum", "sources": ["cells", "right"]} | OUT,
        LINEAR | {"name": "scores", "units": 3},
    ]
    space = {"variables": {"b": {"set": ["layers[2].output.bits"], "to": [4, 12]}}}
    source = {"shape": [2, 4, 4], "signed": True}
    value = {"name": "n", "data": "d", "input": source, "layers": layers}
    spec, parameters, samples = case(value, count=20, steps=6)
    x = samples["input"]
    split = Split(x, forward(spec, parameters, x).argmax(axis=-1))
    data = Dataset("d", split, split, 3, validation=split)
    job = make_job(parse_space(spec, space, "x"), Checkpoint(parent=parameters), data)
    evaluator = Evaluator(job)
    for choices in job.space:
        fresh = quantize(job.space.apply(choices), job.checkpoint, job.calibration, direct=True)
        found = evaluator(choices)
        assert found["loss"] == bits_per_character(fresh, job.validation)
        assert found["error"] == 1.0 - accuracy(fresh, job.validation) < 0.2


def test_one_output_is_explored():
    with raises(SpecError, "n must have one output, not 2 (sum, answer)"):
        job_of(LAYERS, outputs=["sum", "answer"])
