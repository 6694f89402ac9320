"""The experiments of the papers from end to end, on small data; their figures are not judged."""

import math
from dataclasses import replace

import numpy as np
import pytest

from fxsim import data
from fxsim.data import Split, pydoc
from fxsim.errors import FileError
from fxsim.reproduce import alvarez2016, shin2017, sung2015, tu2016
from fxsim.reproduce.experiment import spread
from fxsim.reproduce.runs import collect


@pytest.fixture
def little(monkeypatch):
    whole = pydoc.load()

    def load(name, shape=None):
        if name != "pydoc":
            return load_any(name, shape)
        parts = {
            key: Split(split.x[:count], split.y[:count])
            for (key, split), count in zip(whole.splits.items(), (120, 4, 4), strict=True)
        }
        return replace(whole, **parts)

    load_any = data.load
    monkeypatch.setattr(data, "load", load)


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


def test_sung2015(tmp_path):
    plan = sung2015.Plan(
        widths={8: (1, 2), 128: (1,)}, depth=2, depths=(1, 2), across=8, epochs=2, extra=1
    )
    outcome = sung2015.reproduce(plan, tmp_path, "digits")
    check(outcome, tmp_path)
    groups = next(table for table in outcome.tables if table.name == "groups")
    assert list(groups.columns) == ["units", "In-h1", "h1-h2", "h2-out"]
    integers = next(table for table in outcome.tables if table.name == "integers")
    assert all(row[-1] <= row[-2] for row in integers.rows)  # 16 bits differ less than 8


def test_shin2017(tmp_path, little):
    plan = shin2017.Plan(
        frames=tuple(
            shin2017.Frames(units=8, seed=seed, gradual=True, epochs=2, extra=2) for seed in (1, 2)
        ),
        text=(shin2017.Text(cells=4, epochs=1),),
    )
    outcome = shin2017.reproduce(plan, tmp_path, "digits")
    check(outcome, tmp_path)
    paired = next(table for table in outcome.tables if table.name == "paired")
    assert [row[:2] for row in paired.rows] == [[8, 2], [8, 3]]


def test_alvarez2016(tmp_path, little):
    plan = (
        alvarez2016.Recipe(cells=4, epochs=1),
        alvarez2016.Recipe(cells=6, epochs=1),
        alvarez2016.Recipe(cells=6, projection=3, epochs=1),
    )
    outcome = alvarez2016.reproduce(plan, tmp_path)
    check(outcome, tmp_path)
    assert [trend.holds for trend in outcome.trends[:2]] == [True, True]  # needs no training


def test_bias_is_what_arithmetic_says():
    consistent, inconsistent, truncated = alvarez2016.bias(255, 512, 20)
    assert truncated.value == pytest.approx(0.5, abs=0.01)
    assert 0.15 < inconsistent.value < 0.35  # the mean of |frac(Q V_min)|, 0.25
    assert consistent.value < 0.01
    assert consistent.dot < inconsistent.dot / 20
    values = np.array([[-1.0, 0.3, 2.0]])
    found = alvarez2016.recover(values, 30, "consistent")
    np.testing.assert_allclose(found, [[-1.0, 0.3, 2.0]], atol=0.051)
    assert 0.0 in alvarez2016.recover(np.array([[-1.0, 0.0, 2.0]]), 31, "consistent")


def test_tu2016(tmp_path):
    plan = tuple(tu2016.Recipe(hidden=(24,), seed=seed, epochs=2) for seed in (1, 2))
    outcome = tu2016.reproduce(plan, tmp_path, "digits")
    check(outcome, tmp_path)
    words = next(table for table in outcome.tables if table.name == "words")
    for row in words.rows:
        assert row[-2] > row[-1]  # counting more costs more


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
    assert tu2016.removable(run, "mag") == pytest.approx(87.5)  # halfway from 85 to 90 %
    assert tu2016.removable(run, "mag", 95) == 97.5
    assert tu2016.removable(run, "fisher") == 0.0


def test_bits_needed():
    points = [[1.0, 90.0], [2.0, 97.95], [3.0, 98.0]]
    assert tu2016.bits_needed(points, 98.0) == 2.0
    assert math.isinf(tu2016.bits_needed(points, 99.0))


def test_finished_runs_are_not_done_again(tmp_path):
    done, told = [], []

    def work(recipe):
        done.append(recipe.cells)
        return {"cells": recipe.cells}

    recipes = {str(n): alvarez2016.Recipe(cells=n) for n in (1, 2)}
    first = collect(recipes, tmp_path, "d", work, told.append)
    assert first == collect(recipes, tmp_path, "d", work, told.append)
    assert done == [1, 2]
    assert told == ["1", "2"] * 2
    collect(recipes, tmp_path, "other", work)
    collect({"1": alvarez2016.Recipe(cells=1, epochs=9)}, tmp_path, "other", work)
    assert done == [1, 2, 1, 2, 1]
    (tmp_path / "runs" / "1.json").write_text("{")
    with pytest.raises(FileError, match=r"1.json: not a stored run"):
        collect(recipes, tmp_path, "other", work)


def test_spread():
    assert spread([1.234]) == "1.23"
    assert spread([1.0, 2.0]) == "1.50 ± 0.71"
