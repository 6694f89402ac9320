import json

import numpy as np
import pytest

from fxsim.errors import RangeError
from fxsim.explore.cost_model import CostModel, relative
from fxsim.explore.costs import fit_costs, measure_front, sample
from fxsim.explore.evaluate import Evaluator
from fxsim.explore.job import with_costs
from fxsim.explore.metrics import SYNTHESISED
from fxsim.explore.outcome import Goals
from fxsim.explore.pareto import front
from fxsim.explore.run import Settings, search_space
from fxsim.explore.store import open_store
from fxsim.explore.synth_cache import SynthCache
from tests.fxsim.explore.small import make

FOLDED = {
    "input_bits": {"set": ["input.bits"], "to": [2, 4, 8]},
    "weights0": {"set": ["layers[0].weights.levels"], "to": [3, 15, 255]},
    "rows0": {"set": ["layers[0].hardware.rows"], "to": [1, 2, 4, 12]},
    "simd0": {"set": ["layers[0].hardware.simd"], "to": [1, 2, 8]},
}


def made_up(network, target):
    """Cells by a rule that a model can learn: smooth in word lengths and lanes, and a jump."""
    lut = 40.0
    for layer in network.linears:
        lanes, bits = layer.folding.rows * layer.folding.simd, layer.input.format.bits
        lut += lanes * bits * (1 if layer.ternary else layer.weight_format.bits)
        lut += 3 * layer.folding.rows * layer.accumulator.format.bits
    return {"lut": round(lut), "ff": 2 * round(lut), "carry": 10, "dsp": 0, "block_ram": 1}


@pytest.fixture
def counted(tmp_path):
    calls = []

    def synthesise(network, target):
        calls.append((network, target))
        return made_up(network, target)

    return SynthCache("ecp5", synthesise, "v1", tmp_path / "cache"), calls


def test_a_network_is_synthesised_once_for_each_target_and_version(counted):
    cache, calls = counted
    evaluate = Evaluator(make())
    network, other = evaluate.network((0, 0, 0, 0)), evaluate.network((1, 0, 0, 0))
    first = cache(network)
    assert set(first) == set(SYNTHESISED)
    assert cache(network) == first
    assert len(calls) == 1
    cache(other)
    SynthCache("xc7", cache.synthesise, "v1", cache.folder)(network)
    SynthCache("ecp5", cache.synthesise, "v2", cache.folder)(network)
    assert [target for _, target in calls] == ["ecp5", "ecp5", "xc7", "ecp5"]


@pytest.mark.parametrize("damage", ["", "{", '{"lut": 3}', "[1]", '{"lut": "x"}'])
def test_a_damaged_entry_is_made_again(counted, damage):
    cache, calls = counted
    network = Evaluator(make()).network((0, 0, 0, 0))
    first = cache(network)
    cache.path(network).write_text(damage)
    assert cache(network) == first
    assert len(calls) == 2
    assert json.loads(cache.path(network).read_text()) == first


def test_the_model_predicts_configurations_that_it_has_not_seen(counted):
    job = make(variables=FOLDED, objectives=["loss", "lut"], cost_samples=60)
    model = fit_costs(job, counted[0], seed=1)
    seen = set(sample(job.space, 60, 1))
    evaluate, errors = Evaluator(job), []
    for choices in job.space:
        if choices not in seen:
            network = evaluate.network(choices)
            found, true = model.predict(network), made_up(network, "ecp5")
            errors.append(abs(found["lut"] - true["lut"]) / true["lut"])
            assert (found["carry"], found["dsp"], found["block_ram"]) == (10, 0, 1)
    assert len(errors) == 48
    assert np.median(errors) < 0.03
    assert max(errors) < 0.15
    reported = model.cross_validate()["lut"]
    assert 0 < reported["median"] < 0.05
    assert reported["worst"] < 0.25


def test_cross_validation_does_not_see_what_it_predicts():
    """Counts without any rule cannot be predicted, and the error says so."""
    job = make(variables=FOLDED)
    evaluate = Evaluator(job)
    networks = [evaluate.network(choices) for choices in list(job.space)[::3]]
    rng = np.random.default_rng(1)
    cells = [dict.fromkeys(SYNTHESISED, float(n)) for n in rng.integers(100, 1000, len(networks))]
    assert CostModel(networks, cells).cross_validate()["lut"]["median"] > 0.2


def test_errors_of_small_counts_are_compared_with_twenty():
    assert relative(np.array([2.4, 30.0]), np.array([1.0, 20.0])).tolist() == [0.05, 0.5]


def test_a_model_needs_networks():
    with pytest.raises(RangeError, match=r"needs at least 4 networks, not 0"):
        CostModel([], [])


def test_samples_hold_the_corners_and_are_those_of_the_seed():
    space = make(variables=FOLDED).space
    chosen = sample(space, 20, 3)
    assert len(set(chosen)) == 20
    assert {space.finest, (0, 0, 0, 0)} <= set(chosen)
    assert chosen == sample(space, 20, 3) != sample(space, 20, 4)
    assert sample(space, 1000, 3) == list(space)


def test_the_final_front_is_measured_never_predicted(tmp_path, counted):
    cache, _ = counted
    job = make(variables=FOLDED, objectives=["loss", "lut"], cost_samples=12)
    job = with_costs(job, fit_costs(job, cache, seed=1))
    goals = Goals(job.space, job.float_error)
    with open_store(tmp_path / "s", {}, resume=False) as store:
        search_space(job, store, Settings())
        before = store.predicted()
        count = measure_front(job, store, cache)
        final = front(store.outcomes(), goals)
        assert count >= len(final) > 1
        for outcome in final:
            assert outcome.measured
            network = Evaluator(job).network(outcome.choices)
            assert outcome.metrics["lut"] == made_up(network, "ecp5")["lut"]
        assert store.predicted() == before  # what the method saw, for resuming
        assert measure_front(job, store, cache) == 0
    with open_store(tmp_path / "s", {}, resume=True) as store:
        search_space(job, store, Settings())
        assert front(store.outcomes(), goals) == final
