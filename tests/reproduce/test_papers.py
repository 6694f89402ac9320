"""The experiments of the papers from end to end, on small data; their figures are not judged."""

import importlib
import math
from dataclasses import dataclass, replace
from functools import cache
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest

from fxsim import data
from fxsim.data import Split, handwriting, house_numbers
from fxsim.data.dataset import drawn_dataset
from fxsim.errors import FileError, SpecError
from fxsim.reproduce import alvarez2016, runs, shin2017, sung2015, tu2016
from fxsim.reproduce.alvarez2016.bias import bias, recover
from fxsim.reproduce.experiment import spread
from fxsim.reproduce.papers import Paper, job
from fxsim.reproduce.runs import collect
from fxsim.reproduce.tu2016.trends import bits_needed, removable
from tests.messages import raises


@pytest.fixture
def little(monkeypatch):
    """Sets of which little is there: a few images are drawn, and of text the start is taken."""
    images = {
        "house-numbers": (house_numbers.draw_images, (200, 9, 100)),
        "handwriting": (handwriting.draw_images, (500, 9, 300)),
    }

    @cache
    def load(name):
        if name in images:
            draw, counts = images[name]
            sizes = dict(zip(("train", "validation", "test"), counts, strict=True))
            return drawn_dataset(name, draw, sizes, seed=1)
        whole = data.load(name)
        if name != "pydoc":
            return whole
        counts = {"train": 120, "validation": 4, "test": 4}
        parts = {
            key: Split(whole.splits[key].x[:n], whole.splits[key].y[:n])
            for key, n in counts.items()
        }
        return replace(whole, **parts)

    monkeypatch.setattr(runs, "_load", load)


def check(outcome, folder):
    page = outcome.write(folder)
    text = page.read_text()
    assert text.startswith(f"# {outcome.title}")
    assert "nan" not in text.lower().replace("finance", "")
    for trend in outcome.trends:
        assert trend.verdict in text
    for plot in outcome.plots:
        assert (folder / f"{plot.name}.svg").read_text().count("<path") > 5
    for table in outcome.tables:
        assert (folder / f"{table.name}.csv").read_text().count("\n") == len(table.rows) + 1


def perform(module, plan, folder, *sets):
    outcome = module.EXPERIMENT.perform(plan, folder, sets)
    check(outcome, folder)
    return {table.name: table for table in outcome.tables}


def check_integers(table):
    """Rounded activations and biases, or 16 bits, leave no more than float ones, or hardly."""
    *_, eight, rounded, sixteen = zip(*table.rows, strict=True)
    assert sum(rounded) <= sum(eight)
    assert sum(sixteen) <= sum(eight)


def test_sung2015(tmp_path, little):
    plan = sung2015.Plan(
        frames=tuple(
            sung2015.plan.Frames(layers=layers, units=units, seed=seed, epochs=2, extra=1)
            for layers, units, seed in ((2, 8, 1), (2, 8, 2), (2, 128, 1), (1, 8, 1))
        ),
        images=tuple(
            sung2015.plan.Images(maps=maps, epochs=1, extra=1, train=200, test=100)
            for maps in ((2, 2), (2, 4), (4,))
        ),
    )
    tables = perform(sung2015, plan, tmp_path, "digits")
    assert list(tables["frames-groups"].columns) == ["units", "In-h1", "h1-h2", "h2-out"]
    assert tables["images-groups"].columns[1:] == ["In-C1", "C1-C2", "C2-F1", "F1-out"]
    assert [row[0] for row in tables["frames-width"].rows] == ["8", "128"]
    assert [row[:2] for row in tables["images-depth"].rows] == [[1, "4"], [2, "2-4"]]
    for kind in ("frames", "images"):
        check_integers(tables[f"{kind}-integers"])
        for row in tables[f"{kind}-noise"].rows:
            if row[1] == 8:
                assert all(float(ratio) > 30 for ratio in row[2:])


def test_shin2017(tmp_path, little):
    plan = shin2017.Plan(
        frames=(
            *(
                shin2017.plan.Frames(units=8, seed=seed, gradual=True, epochs=2, extra=2)
                for seed in (1, 2)
            ),
            shin2017.plan.Frames(units=8, seed=1, batch_norm=True, epochs=2, extra=2),
        ),
        images=(
            shin2017.plan.small(1, gradual=True, epochs=1, extra=1, train=200, test=100),
            shin2017.plan.small(2, gradual=True, epochs=1, extra=1, train=200, test=100),
        ),
        text=(shin2017.plan.Text(cells=4, epochs=1),),
    )
    tables = perform(shin2017, plan, tmp_path, "digits")
    labels = ["8 units", "8 units", "8 units, batch norm.", "8 units, batch norm."]
    assert [row[0] for row in tables["frames"].rows] == labels
    assert len(tables["images-gradual"].rows) == 6
    for kind in ("frames", "images", "text"):
        check_integers(tables[f"{kind}-integers"])


def test_alvarez2016(tmp_path, little):
    plan = alvarez2016.Plan(
        recipes=(
            alvarez2016.plan.Recipe(cells=4, epochs=1),
            alvarez2016.plan.Recipe(cells=6, epochs=1),
            alvarez2016.plan.Recipe(cells=6, projection=3, epochs=1),
        )
    )
    outcome = alvarez2016.EXPERIMENT.perform(plan, tmp_path)
    check(outcome, tmp_path)
    assert [trend.holds for trend in outcome.trends[:2]] == [True, True]  # needs no training
    check_integers(next(table for table in outcome.tables if table.name == "integers"))


def test_bias_is_what_arithmetic_says():
    consistent, inconsistent, truncated = bias(255, 512, 20)
    assert truncated.value == pytest.approx(0.5, abs=0.01)
    assert 0.15 < inconsistent.value < 0.35  # the mean of |frac(Q V_min)|, 0.25
    assert consistent.value < 0.01
    assert consistent.dot < inconsistent.dot / 20
    values = np.array([[-1.0, 0.3, 2.0]])
    found = recover(values, 30, "consistent")
    np.testing.assert_allclose(found, [[-1.0, 0.3, 2.0]], atol=0.051)
    assert 0.0 in recover(np.array([[-1.0, 0.0, 2.0]]), 31, "consistent")


def test_tu2016(tmp_path, little):
    plan = tu2016.Plan(
        recipes=(
            *(
                tu2016.plan.Recipe(title="Full", hidden=(8,), seed=seed, epochs=2, train=500)
                for seed in (1, 2)
            ),
            tu2016.plan.Recipe(title="Conv", maps=(2, 4), hidden=(16, 12), epochs=1, train=500),
        )
    )
    tables = perform(tu2016, plan, tmp_path)
    for name in ("full", "conv"):
        for row in tables[f"{name}-words"].rows:
            assert row[-2] > row[-1]  # counting more costs more
        check_integers(tables[f"{name}-integers"])


def test_what_can_be_removed():
    falling = [
        [99.0, 0],
        [98.8, 0],
        [98.5, 0],
        [97.5, 0],
        [90.0, 0],
        [80.0, 0],
        [50.0, 0],
        [9.0, 0],
    ]
    run = {"float": [99.0, 0.0], "pruning": {"mag": falling, "fisher": falling[-1:] * 8}}
    assert removable(run, "mag") == pytest.approx(87.5)  # halfway from 85 to 90 %
    assert removable(run, "mag", 95) == 97.5
    assert removable(run, "fisher") == 0.0


def test_bits_needed():
    points = [[1.0, 90.0], [2.0, 97.95], [3.0, 98.0]]
    assert bits_needed(points, 98.0) == 2.0
    assert math.isinf(bits_needed(points, 99.0))


@dataclass(frozen=True)
class Counted:
    """A run that only tells that it was done."""

    kind: ClassVar[str] = "frames"
    done: ClassVar[list[str]] = []

    cells: int
    epochs: int = 1

    @property
    def name(self):
        return str(self.cells)

    def run(self, dataset):
        self.done.append(f"{self.cells} {dataset.name}")
        return {"cells": self.cells}


def test_finished_runs_are_not_done_again(tmp_path, monkeypatch):
    monkeypatch.setattr("fxsim.reproduce.runs._load", lambda name: SimpleNamespace(name=name))
    Counted.done.clear()
    told = []
    recipes = [Counted(1), Counted(2)]
    first = collect(recipes, tmp_path, {"frames": "d"}, told.append)
    assert [run.pop("cells") for run in first.values()] == [1, 2]
    assert {key for run in first.values() for key in run} == {"seconds", "cpu"}
    collect(recipes, tmp_path, {"frames": "d"}, told.append)
    assert Counted.done == ["1 d", "2 d"]
    assert told == ["1", "2"] * 2
    collect(recipes, tmp_path, {"frames": "other"})
    collect([Counted(1, epochs=9)], tmp_path, {"frames": "other"})
    assert Counted.done[2:] == ["1 other", "2 other", "1 other"]
    (tmp_path / "runs" / "1.json").write_text("{")
    with pytest.raises(FileError, match=r"1.json: not a stored run"):
        collect(recipes, tmp_path, {"frames": "other"})


def test_data_must_be_of_a_kind_that_the_experiment_has(tmp_path):
    with raises(SpecError, "data must be text, not the frames of digits"):
        alvarez2016.EXPERIMENT.perform(alvarez2016.QUICK, tmp_path, ["digits"])
    with raises(SpecError, "zhu2017 takes no other data than pydoc, not digits"):
        job(Paper.ZHU2017, tmp_path, full=False, sets=["digits"])


@pytest.mark.parametrize("paper", list(Paper)[:4])
@pytest.mark.parametrize("full", [False, True])
def test_every_run_of_the_plans_has_a_name_of_its_own(paper, full, tmp_path):
    experiment = importlib.import_module(f"fxsim.reproduce.{paper}").EXPERIMENT
    recipes = (experiment.full if full else experiment.quick).recipes
    assert len({recipe.name for recipe in recipes}) == len(recipes)
    assert {recipe.kind for recipe in recipes} == set(experiment.sets)
    assert job(paper, tmp_path, full=full).amount == {"runs": len(recipes)}


def test_spread():
    assert spread([1.234]) == "1.23"
    assert spread([1.0, 2.0]) == "1.50 ± 0.71"
