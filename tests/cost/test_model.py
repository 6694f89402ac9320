import json
import re

import numpy as np
import pytest

from fxsim.cost.amounts import SYNTHESISED
from fxsim.cost.facts import REST, blocks_of
from fxsim.cost.model import CostModel, Features, _fit, relative
from fxsim.cost.synth_cache import SynthCache
from fxsim.errors import CacheWarning, RangeError
from fxsim.explorer.costs import fit_costs, measure_front, sample
from fxsim.explorer.evaluate import Evaluator
from fxsim.explorer.job import with_costs
from fxsim.explorer.outcome import Goals
from fxsim.explorer.pareto import front
from fxsim.explorer.run import Settings, search_space
from fxsim.explorer.store import open_store
from tests.explorer.small import make

FOLDED = {
    "input_bits": {"set": ["input.bits"], "to": [2, 4, 8]},
    "weights0": {"set": ["layers[0].weights.levels"], "to": [3, 15, 255]},
    "rows0": {"set": ["layers[0].hardware.rows"], "to": [1, 2, 4, 12]},
    "simd0": {"set": ["layers[0].hardware.simd"], "to": [1, 2, 8]},
}


def made_up(block):
    """Cells by a rule that a model can learn: smooth in word lengths and lanes, and a constant."""
    facts, lut = block.facts, 40.0
    if block.kind == "mac_array":
        each = facts["source"] * (facts["weight"] if facts["multiplies"] else 1)
        lut += facts["rows"] * (facts["simd"] * each + 3 * facts["accumulator"])
    ends = block.path == REST
    return {
        "logic": 3 * round(lut),
        "lut": round(lut),
        "ff": 2 * round(lut),
        "carry": 10 * ends,
        "dsp": 0,
        "block_ram": ends,
    }


def cells_of(network):
    blocks = [made_up(block) for block in blocks_of(network)]
    return {name: sum(block[name] for block in blocks) for name in SYNTHESISED}


class MadeUp:
    """Stands for a generated network; the text of a block says which weights and sizes it has."""

    def __init__(self, network, calls):
        self.blocks = {block.path: block for block in blocks_of(network)}
        self.calls = calls

    def texts(self, paths):
        return {path: str(self.blocks[path].facts) for path in paths}

    def synthesise(self, target, missing, known, *, dsp):
        assert set(missing) | set(known) == set(self.blocks)
        self.calls.append((target, missing))
        return {path: made_up(self.blocks[path]) for path in missing}


@pytest.fixture
def counted(tmp_path):
    calls = []
    return SynthCache("ecp5", lambda n: MadeUp(n, calls), "v1", tmp_path / "cache"), calls


def test_a_block_is_synthesised_once_for_each_target_and_version(counted):
    cache, calls = counted
    evaluate = Evaluator(make())
    network, other = evaluate.network((0, 0, 0, 0)), evaluate.network((0, 0, 0, 1))
    first = cache(network)
    assert first == cells_of(network)
    assert cache(network) == first
    assert [target for target, _ in calls] == ["ecp5"]
    assert cache(other) == cells_of(other)
    assert calls[1] == ("ecp5", ["layer1.mac_array", "layer1$port_skid", REST])  # the last layer's
    for target, version in (("xc7", "v1"), ("ecp5", "v2")):
        SynthCache(target, cache.generate, version, cache.folder)(network)
    assert [(target, len(paths)) for target, paths in calls[2:]] == [("xc7", 8), ("ecp5", 8)]


def _directory(file):
    file.unlink()
    file.mkdir()


DAMAGES = {
    "empty": lambda file: file.write_text(""),
    "cut": lambda file: file.write_text(file.read_text()[:-3]),
    "no text": lambda file: file.write_bytes(b"\xff\n\xff"),
    "another number": lambda file: file.write_text(
        re.sub(r'("lut": )\d+', r"\g<1>7", file.read_text())
    ),
    "foreign": lambda file: file.write_text('{"lut": 3}'),
    "folder": _directory,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_entry_is_said_and_made_again(counted, damage):
    cache, calls = counted
    network = Evaluator(make()).network((0, 0, 0, 0))
    first = cache(network)
    (block,) = [b for b in blocks_of(network) if b.path == "layer0.mac_array"]
    file = cache.path(str(block.facts))
    sound = file.read_text()
    assert json.loads(sound.split("\n")[1]) == made_up(block)
    damage(file)
    with pytest.warns(CacheWarning, match=f"^{file}: is damaged; the block is synthesized again$"):
        assert cache(network) == first
    assert calls[1:] == [("ecp5", ["layer0.mac_array"])]
    assert file.read_text() == sound


def test_the_model_predicts_configurations_that_it_has_not_seen(counted):
    job = make(variables=FOLDED, objectives=["loss", "lut"], cost_samples=60)
    model = fit_costs(job, counted[0], seed=1)
    seen = set(sample(job.space, 60, 1))
    evaluate, errors = Evaluator(job), []
    for choices in job.space:
        if choices not in seen:
            network = evaluate.network(choices)
            found, true = model.predict(network), cells_of(network)
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
    cells = [
        {
            b.path: dict.fromkeys(SYNTHESISED, float(rng.integers(9, 999)))
            for b in blocks_of(network)
        }
        for network in networks
    ]
    assert CostModel(networks, cells, target="ecp5").cross_validate()["lut"]["median"] > 0.1


def test_what_is_learned_beyond_the_amounts_is_not_extrapolated():
    rng = np.random.default_rng(1)
    amounts = rng.uniform(50, 100, (20, 1))
    linear = np.column_stack([rng.uniform(size=20), np.zeros(20)])
    linear[0, 1] = 1e-3  # a column that hardly differs
    counts = amounts[:, 0] * (1 + 0.3 * linear[:, 0] + 300 * linear[:, 1])
    fit = _fit(Features(amounts, linear, linear), {"lut": counts})["lut"]
    edge, far = np.array([[0.5, 1e-3]]), np.array([[0.5, 1.0]])
    at = [float(fit(Features(amounts[:1], place, place))[0]) for place in (edge, far)]
    assert at[0] == at[1]
    assert 0.9 < at[1] / amounts[0, 0] < 1.8


def test_errors_of_small_counts_are_compared_with_twenty():
    assert relative(np.array([2.4, 30.0]), np.array([1.0, 20.0])).tolist() == [0.05, 0.5]


def test_a_model_needs_networks():
    with pytest.raises(RangeError, match=r"needs at least 4 networks, not 0"):
        CostModel([], [], target="xc7")


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
            assert outcome.metrics["lut"] == cells_of(network)["lut"]
        assert store.predicted() == before  # what the method saw, for resuming
        assert measure_front(job, store, cache) == 0
    with open_store(tmp_path / "s", {}, resume=True) as store:
        search_space(job, store, Settings())
        assert front(store.outcomes(), goals) == final
