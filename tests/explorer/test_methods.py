import itertools
import math

import numpy as np
import pytest

from fxsim.data import Split
from fxsim.errors import ConfigError, SpecError
from fxsim.explorer.fisher import diagonal_fisher, predicted_loss
from fxsim.explorer.methods import METHODS, run_method
from fxsim.explorer.methods.allocate import exact_points, greedy_path
from fxsim.explorer.methods.sensitivity import Sensitivity, measure
from fxsim.explorer.outcome import Goals, Outcome
from fxsim.explorer.pareto import convergence
from fxsim.explorer.run import Settings, facts_of, search_space
from fxsim.explorer.search import Search
from fxsim.explorer.store import open_store
from fxsim.explorer.workers import Here, local_workers
from fxsim.floats.checkpoint import LinearParameters
from fxsim.floats.forward import forward
from tests.explorer.small import SPACE, make
from tests.two_layers import make_checkpoint, make_spec, samples


def explore(tmp_path, job, method, budget=None, seed=1, workers=None, name="s"):
    settings = Settings(method=method, seed=seed, budget=budget)
    path = tmp_path / f"{name}-{method}.sqlite"
    with open_store(path, facts_of(job, settings), resume=False) as store:
        search_space(job, store, settings, workers=workers)
        return sorted(store.outcomes(), key=lambda outcome: outcome.place)


@pytest.fixture(scope="module")
def job():
    return make()


@pytest.fixture(scope="module")
def everything(job, tmp_path_factory):
    return {o.choices: o for o in explore(tmp_path_factory.mktemp("grid"), job, "grid")}


def test_the_grid_is_every_point_in_order(job, everything):
    assert list(everything) == list(job.space)
    assert [o.place for o in everything.values()] == list(range(54))


@pytest.mark.parametrize("method", [name for name in METHODS if name != "grid"])
def test_a_method_finds_points_of_the_grid_and_most_of_its_front(tmp_path, job, everything, method):
    goals = Goals(job.space, job.float_error)
    found = explore(tmp_path, job, method, budget=40)
    assert 0 < len(found) <= 40
    assert [o.place for o in found] == list(range(len(found)))
    for outcome in found:
        assert outcome.metrics == everything[outcome.choices].metrics
    worst = tuple(
        max(column) for column in zip(*map(goals.values, everything.values()), strict=True)
    )
    true = convergence(list(everything.values()), goals, worst)[-1]
    assert 0.5 * true < convergence(found, goals, worst)[-1] <= true * (1 + 1e-12)
    again = explore(tmp_path, job, method, budget=40, name="again")
    assert again == found


def test_who_evaluates_changes_nothing(tmp_path, job):
    here = explore(tmp_path, job, "nsga2", budget=54)
    there = explore(
        tmp_path, job, "nsga2", budget=54, name="two", workers=lambda job: local_workers(job, 2)
    )
    assert here == there


@pytest.mark.parametrize("method", ["nsga2", "tpe"])
def test_the_seed_counts(tmp_path, job, method):
    runs = [
        [o.choices for o in explore(tmp_path, job, method, budget=30, seed=seed, name=str(seed))]
        for seed in (1, 2)
    ]
    assert runs[0] != runs[1]


def test_methods_stop_when_the_space_is_exhausted(tmp_path, job):
    assert len(explore(tmp_path, job, "tpe", budget=1000)) <= 54


def test_nothing_is_evaluated_twice_and_the_budget_holds(tmp_path, job):
    class Counting(Here):
        def __init__(self, job):
            super().__init__(job)
            self.points = []

        def run(self, points):
            self.points += points
            return super().run(points)

    workers = Counting(job)
    with open_store(tmp_path / "s", {}, resume=False) as store:
        search = Search(job, store, workers, seed=1, budget=3)
        a, b, c, d = list(job.space)[:4]
        assert [o.choices for o in search.ask([b, a, b])] == [b, a, b]
        assert [o.place for o in search.ask([a, b])] == [1, 0]
        assert workers.points == [a, b]
        assert search.left == 1
        run_method("grid", search)
    assert workers.points == [a, b, c]
    assert d not in workers.points


def test_grids_beyond_the_budget_and_unknown_methods_are_refused(tmp_path, job):
    with pytest.raises(SpecError, match=r"budget must be at least 54, the points of the grid, not"):
        explore(tmp_path, job, "grid", budget=53)
    with pytest.raises(ConfigError, match=r"unknown method 'nsga3'; did you mean 'nsga2'\?"):
        explore(tmp_path, job, "nsga3")


def test_sung_kum_goes_upwards_from_the_minimum_of_each_signal(tmp_path, job, everything):
    found = explore(tmp_path, job, "sung-kum", budget=54)
    finest = job.space.finest
    alone = {
        (*finest[:v], k, *finest[v + 1 :])
        for v, size in enumerate(job.space.sizes)
        for k in range(size)
    }
    assert {o.choices for o in found[: len(alone)]} == alone
    limit = everything[finest].metrics["loss"] * 1.5
    minimum = []
    for v, size in enumerate(job.space.sizes):
        line = [(*finest[:v], k, *finest[v + 1 :]) for k in range(size)]
        bad = [k for k in range(size) if everything[line[k]].metrics["loss"] > limit]
        minimum.append(max(bad, default=-1) + 1)
    assert any(o.choices == tuple(minimum) for o in found) or tuple(minimum) == finest


def test_greedy_goes_down_to_the_coarsest_one_value_at_a_time(tmp_path, job):
    found = {o.choices for o in explore(tmp_path, job, "greedy", budget=54)}
    point = (0,) * 4
    while point != job.space.finest:  # there is a way up within what was evaluated
        up = [p for v in range(4) if (p := (*point[:v], point[v] + 1, *point[v + 1 :])) in found]
        assert up
        point = max(up)


def random_model(rng, sizes=(3, 4, 2, 3)):
    loss = tuple(tuple(sorted(rng.random(n), reverse=True)) for n in sizes)
    cost = tuple(tuple(sorted(rng.integers(-50, 1, n).astype(float))) for n in sizes)
    return Sensitivity(loss, cost)


def total(values, point):
    return sum(line[k] for line, k in zip(values, point, strict=True))


@pytest.mark.parametrize("seed", range(6))
def test_the_integer_program_is_exact(seed):
    model = random_model(np.random.default_rng(seed))
    every = list(itertools.product(*(range(len(line)) for line in model.loss)))
    low = min(total(model.cost, p) for p in every)
    high = max(total(model.cost, p) for p in every)
    solved = exact_points(model, budgets=9)
    for budget, point in zip(np.linspace(low, high, 9), solved, strict=True):
        assert total(model.cost, point) <= budget + 1e-6
        best = min(total(model.loss, p) for p in every if total(model.cost, p) <= budget + 1e-9)
        assert total(model.loss, point) == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_the_greedy_path_gains_less_and_less_and_ends_at_the_least_loss(seed):
    model = random_model(np.random.default_rng(seed))
    path = greedy_path(model)
    losses = [total(model.loss, point) for point in path]
    costs = [total(model.cost, point) for point in path]
    assert losses == sorted(losses, reverse=True)
    assert costs == sorted(costs)
    assert losses[-1] == pytest.approx(sum(map(min, model.loss)))
    assert costs[0] == sum(map(min, model.cost))


def test_values_that_are_impossible_are_not_allocated():
    model = Sensitivity(((math.inf, 0.2, 0.0),), ((math.inf, -5.0, 0.0),))
    assert set(exact_points(model, budgets=5)) == {(1,), (2,)}
    assert greedy_path(model) == [(1,), (2,)]


def test_fisher_information_is_the_mean_square_of_numeric_gradients():
    spec = make_spec()
    parameters = make_checkpoint(spec).parent
    x, y = samples(spec, n=6), np.array([0, 1, 2, 3, 4, 0])
    found = diagonal_fisher(spec, parameters, Split(x, y))

    def losses(name, i, j, step):
        weight = parameters[name].weight.copy()
        weight[i, j] += step
        changed = dict(parameters) | {
            name: LinearParameters(weight=weight, bias=parameters[name].bias)
        }
        logits = forward(spec, changed, x)
        odds = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return -np.log(odds[np.arange(6), y])

    for name, i, j in (("layer0", 0, 0), ("layer0", 7, 3), ("layer1", 2, 5), ("layer1", 4, 11)):
        slope = (losses(name, i, j, 1e-5) - losses(name, i, j, -1e-5)) / 2e-5
        assert found[name][i, j] == pytest.approx(np.square(slope).mean(), rel=1e-5, abs=1e-12)


def test_predicted_loss_is_half_the_weighted_square():
    fisher = np.array([[2.0, 0.0]])
    found = predicted_loss(fisher, np.array([[1.0, 5.0]]), np.array([[0.5, 0.0]]))
    assert found == pytest.approx(0.25 / math.log(2))


def test_the_model_measures_what_fisher_cannot_predict(tmp_path, job):
    with open_store(tmp_path / "s", {}, resume=False) as store:
        search = Search(job, store, Here(job), seed=1)
        model = measure(search, fisher=False)
        predicted = measure(search, fisher=True)
    assert model.loss[0] == predicted.loss[0]  # the input is no weight
    assert model.loss[1] != predicted.loss[1]
    assert model.cost == predicted.cost
    assert predicted.loss[1] == tuple(sorted(predicted.loss[1], reverse=True))


def test_lost_processes_are_replaced_by_those_that_are_left(tmp_path, job, everything):
    killed = []

    class Assassin:
        def __init__(self, workers):
            self.workers = workers

        def run(self, points):
            for k, result in enumerate(self.workers.run(points)):
                if k == 5:
                    victim = next(iter(self.workers._processes.values()))
                    victim.kill()
                    killed.append(victim)
                yield result

    with local_workers(job, 2) as workers, open_store(tmp_path / "s", {}, resume=False) as store:
        run_method("grid", Search(job, store, Assassin(workers), seed=1))
        found = store.outcomes()
    assert len(killed) == 1
    assert found == list(everything.values())


def test_outcomes_compare_by_value():
    assert Outcome((0,), 0, {"error": 0.1}) == Outcome((0,), 0, {"error": 0.1})


@pytest.mark.parametrize("method", ["fisher", "milp", "greedy", "sung-kum"])
def test_impossible_values_end_no_method(tmp_path, method):
    """Binary weights have 2 levels: the other values make no network."""
    spec = make_spec({"weights": {"scheme": "binary"}})
    levels = {"set": ["layers[0].weights.levels"], "to": [3, 7, 2]}
    job = make(spec, variables=SPACE["variables"] | {"weights0": levels})
    settings = Settings(method=method)
    with open_store(tmp_path / "s", facts_of(job, settings), resume=False) as store:
        search_space(job, store, settings)
        seen = store.outcomes()
    assert any(outcome.metrics for outcome in seen)
