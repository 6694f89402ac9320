"""What is done to the front alone: test accuracy, retraining, clock; once."""

from dataclasses import replace

import numpy as np
import pytest

from fxsim.data import load
from fxsim.explorer import finish
from fxsim.explorer.evaluate import Evaluator
from fxsim.explorer.finish import clock_front, retrain_front
from fxsim.explorer.finish import test_front as score_front
from fxsim.explorer.front import extras, front_rows, table, to_csv
from fxsim.explorer.job import make_job
from fxsim.explorer.outcome import Goals
from fxsim.explorer.pareto import front
from fxsim.explorer.run import Settings, facts_of, search_space
from fxsim.explorer.space import parse_space
from fxsim.explorer.store import open_store
from fxsim.floats.checkpoint import Checkpoint
from fxsim.floats.forward import forward
from fxsim.quantizer import quantize
from fxsim.simulator.evaluate import accuracy
from fxsim.spec.specification import RetrainSpec, parse_spec
from fxsim.training import train
from tests.explorer.small import make_dataset, make_space
from tests.two_layers import make_checkpoint, make_spec

SPEC = make_spec()
DATASET = make_dataset(SPEC, n=400)
RECIPE = RetrainSpec.model_validate({"epochs": 4, "optimizer": {"type": "sgd", "lr": 0.1}})


@pytest.fixture
def job():
    return make_job(make_space(SPEC), make_checkpoint(SPEC), DATASET)


@pytest.fixture
def store(tmp_path, job):
    with open_store(tmp_path / "s", facts_of(job, Settings()), resume=False) as opened:
        search_space(job, opened, Settings())
        yield opened


def shown():
    seen = []
    return seen, seen.append


def test_the_front_alone_is_tested_and_the_search_does_not_see_it(job, store):
    before, (seen, show) = table(store), shown()
    score_front(job, store, DATASET.test, show)
    points = front(store.outcomes(), Goals(job.space, job.float_error))
    notes = store.notes("test")
    assert set(notes) == {point.choices for point in points}
    assert len(seen) == len(points) < job.space.size
    for choices, note in notes.items():
        network = Evaluator(job).network(choices)
        assert note["error"] == 1.0 - accuracy(network, DATASET.test)
    assert table(store) == before
    score_front(job, store, DATASET.test, show)
    assert len(seen) == len(points)


def test_a_retrained_point_is_the_network_that_its_checkpoint_makes(tmp_path, job, store):
    seen, show = shown()
    retrain_front(job, store, DATASET, RECIPE, tmp_path / "retrained", show)
    rows = front_rows(store)
    assert len(seen) == len(rows)
    for row in rows:
        found, choices = row["retrained"], tuple(row["choices"])
        assert found["checkpoint"] == str(tmp_path / "retrained" / f"point{row['point']}.npz")
        spec = job.space.apply(choices)
        checkpoint = finish.load_checkpoint(
            tmp_path / "retrained" / f"point{row['point']}.npz", spec
        )
        network = quantize(spec, checkpoint, job.calibration)
        assert found["validation"] == finish.scores(network, job.validation)
        assert found["test"] == finish.scores(network, DATASET.test)
        direct = quantize(spec, job.checkpoint, job.calibration, direct=True)
        assert not np.array_equal(network.linears[0].weight, direct.linears[0].weight)
    ternary = [row for row in rows if row["values"]["weights0"] == 3]
    gained = [row["metrics"]["loss"] - row["retrained"]["validation"]["loss"] for row in ternary]
    assert max(gained) > 0


def test_retraining_goes_on_where_it_was_killed_and_starts_anew_with_another_recipe(
    tmp_path, job, store, monkeypatch
):
    real, calls = finish._retrained, []

    def dies(job, spec, dataset, path):
        calls.append(path.name)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(job, spec, dataset, path)

    monkeypatch.setattr(finish, "_retrained", dies)
    short = RECIPE.model_copy(update={"epochs": 1})
    with pytest.raises(KeyboardInterrupt):
        retrain_front(job, store, DATASET, short, tmp_path, lambda text: None)
    assert len(store.notes("retrained")) == 2
    retrain_front(job, store, DATASET, short, tmp_path, lambda text: None)
    count = len(front_rows(store))
    assert len(store.notes("retrained")) == count
    assert len(calls) == count + 1  # the one that was killed, again
    retrain_front(job, store, DATASET, short, tmp_path, lambda text: None)
    assert len(calls) == count + 1
    other = short.model_copy(update={"scheme": "adaptive"})
    retrain_front(job, store, DATASET, other, tmp_path, lambda text: None)
    assert len(calls) == 2 * count + 1
    assert {note["recipe"]["scheme"] for note in store.notes("retrained").values()} == {"adaptive"}


def test_what_cannot_be_retrained_says_why(tmp_path, job, store):
    wrong = replace(DATASET, classes=9)
    retrain_front(job, store, wrong, RECIPE, tmp_path, lambda text: None)
    notes = store.notes("retrained").values()
    assert {note["reason"][:26] for note in notes} == {"layers[1].units must be 9,"}
    assert set(extras(front_rows(store))["retrained_error"]) == {"-"}


def test_clocks_and_the_rest_are_columns_of_the_front(job, store):
    clock_front(job, store, lambda network: [100.0, 120.0, 90.5], lambda text: None)
    score_front(job, store, DATASET.test, lambda text: None)
    rows = front_rows(store)
    found = extras(rows)
    assert set(found) == {"test_error", "clock_mhz"}
    assert set(found["clock_mhz"]) == {100.0}
    head, first, *_ = to_csv(rows).splitlines()
    assert head.endswith(",measured,test_error,clock_mhz")
    assert first.endswith(f",{found['test_error'][0]},100.0")


def test_each_variable_is_weighed_alone_whatever_the_method_asked_for(tmp_path, job):
    from fxsim.explorer.finish import weigh_variables
    from fxsim.report.exploration import sensitivities

    settings, wanted = Settings(method="tpe", budget=8), Goals(job.space, job.float_error)
    with open_store(tmp_path / "few", facts_of(job, settings), resume=False) as few:
        search_space(job, few, settings)
        before = table(few)
        weigh_variables(job, few)
        weigh_variables(job, few)
        assert table(few) == before
        found = sensitivities(few.outcomes(), wanted, few.notes("alone"))
    evaluate, finest = Evaluator(job), job.space.finest
    assert found == {
        name: evaluate((*finest[:v], 0, *finest[v + 1 :]))["loss"] - evaluate(finest)["loss"]
        for v, name in enumerate(job.space.names)
    }


IMAGES = {
    "name": "images",
    "data": "digits",
    "input": {"shape": [1, 8, 8]},
    "layers": [
        {"type": "convolution", "units": 6, "kernel": 3, "nonlinearity": "relu", "output": {}}
        | {"batch_norm": True},
        {"type": "max_pool", "kernel": 2},
        {"type": "flatten"},
        {"type": "linear", "units": 10},
    ],
    "train": {"epochs": 2, "batch": 30, "optimizer": {"lr": 0.1}},
}


def test_batch_normalisation_is_retrained_from_what_the_checkpoint_folds(tmp_path):
    spec = parse_spec(IMAGES, "test")
    dataset = load(spec.data, spec.input.shape)
    parent = Checkpoint(parent=train(spec, dataset).parent)
    variables = {"kernel": {"set": ["layers[0].weights.levels"], "to": [3, 15]}}
    objectives = ["loss", "weight_memory_bits"]
    space = parse_space(spec, {"variables": variables, "objectives": objectives}, "test")
    job = make_job(space, parent, dataset)
    with open_store(tmp_path / "s", facts_of(job, Settings()), resume=False) as store:
        search_space(job, store, Settings())
        recipe = RECIPE.model_copy(update={"epochs": 2})
        retrain_front(job, store, dataset, recipe, tmp_path, lambda text: None)
        ternary, finer = front_rows(store)
    assert "reason" not in ternary["retrained"] | finer["retrained"]
    assert ternary["retrained"]["validation"]["loss"] < 0.8 * ternary["metrics"]["loss"]
    point = space.apply(tuple(ternary["choices"]))
    found = finish.load_checkpoint(tmp_path / f"point{ternary['point']}.npz", point)
    gain = found.retrained["layer0"].gain
    assert not np.allclose(gain, parent.parent["layer0"].gain)
    # The float parent of the retraining is the network that it started from.
    np.testing.assert_allclose(found.parent["layer0"].gain, parent.parent["layer0"].gain, rtol=1e-5)
    np.testing.assert_allclose(
        forward(spec, found.parent, dataset.test.x[:50]),
        forward(spec, parent.parent, dataset.test.x[:50]),
        rtol=1e-3,
        atol=1e-3,
    )
