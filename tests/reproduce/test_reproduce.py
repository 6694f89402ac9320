"""Reproductions: what all share, and Zhu et al. 2017 end to end on a tiny plan."""

import copy
import csv
import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

from fxsim import cli
from fxsim.data import Dataset, Split, pydoc
from fxsim.errors import FileError
from fxsim.reproduce import zhu2017
from fxsim.reproduce.experiment import Outcome, Plot, Table, Trend
from fxsim.reproduce.store import Store
from fxsim.reproduce.zhu2017.plan import FULL, OTHER, QUICK, Plan
from fxsim.reproduce.zhu2017.results import Results
from fxsim.reproduce.zhu2017.run import Recipe, redundant_share
from fxsim.reproduce.zhu2017.trends import trends

BASE = Recipe(layers=1, cells=8, batch=4, steps=10, epochs=1)
TINY = Plan(
    base=BASE,
    seeds=(1, 2),
    taus=(8e-3, 8e-2),
    repeated=(8e-2,),
    other={name: OTHER[name] for name in ("literal", "words-6-layer", "steered-zeros-0.8")},
    topologies=({}, {"layers": 2}),
    sensitivity=BASE,
)
COUNT = 2 + 3 + 3 + 4


def small_text():
    """4000 symbols in which some follow one another."""
    rng = np.random.default_rng(1)
    ids = np.tile([0, 1, 1, 2, 3], 1000)
    ids = np.where(rng.random(ids.size) < 0.1, rng.integers(0, 4, ids.size), ids)
    x = np.eye(4, dtype=np.float32)[ids[:4500].reshape(-1, 100)]
    y = ids[1:4501].reshape(-1, 100)
    split = Split(x[40:], y[40:])
    return Dataset("pydoc", Split(x[:40], y[:40]), split, 4, validation=split)


@pytest.fixture
def text(monkeypatch):
    monkeypatch.setattr(pydoc, "load", small_text)
    monkeypatch.setattr(pydoc, "digest", lambda: "small")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A finished tiny reproduction."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pydoc, "load", small_text)
        patch.setattr(pydoc, "digest", lambda: "small")
        place = tmp_path_factory.mktemp("zhu2017")
        zhu2017.reproduce(TINY, place).write(place)
    return place


@pytest.fixture
def results(folder):
    runs = {path.stem: json.loads(path.read_text())["result"] for path in folder.glob("runs/*")}
    assert len(runs) == COUNT
    return Results(plan=TINY, runs=copy.deepcopy(runs))


def timeless(path):
    value = json.loads(path.read_text())
    return value["recipe"], {k: v for k, v in value["result"].items() if k not in {"wall", "cpu"}}


def test_a_page_has_its_tables_as_csv_and_its_figures_as_svg(folder):
    page = (folder / "zhu2017.md").read_text()
    for name in ("verdicts", "training", "sensitivity", "one-step", "gates"):
        rows = list(csv.reader((folder / f"{name}.csv").read_text().splitlines()))
        assert len({len(row) for row in rows}) == 1
        assert f"| {' | '.join(rows[0])} |" in page
    figures = re.findall(r"\]\((.*)\.svg\)", page)
    assert figures == ["training", "trade-off", "one-step", "gates", "dynamic"]
    for name in figures:
        svg = (folder / f"{name}.svg").read_text()
        assert ElementTree.fromstring(svg).tag.endswith("svg")
        assert "#f1c0" not in svg, "a placeholder for a colour is left"
    assert re.search(r"12 runs took \d+ s of CPU time", page)


def test_runs_say_what_was_asked(results):
    runs = results.runs
    stages = runs["dense-seed1"]["stages"]
    assert [stage["share"] for stage in stages] == [0.005, 0.1, 1.0]
    for stage in stages:
        points = stage["points"]
        assert points[0]["correlation"] == pytest.approx(1)
        shares = [point["sparsity"] for point in points]
        assert shares == sorted(shares)
        assert all(sum(shares) == pytest.approx(1) for shares in stage["gates"].values())
    assert runs["dense-seed2"]["stages"] == []
    zeros = {name: np.mean(run["sparsity"]) for name, run in runs.items()}
    assert zeros["dense-seed1"] < zeros["tau-0.008-seed1"] < zeros["tau-0.08-seed1"]
    assert zeros["literal-seed1"] > 0.5
    assert zeros["steered-zeros-0.8-seed1"] == pytest.approx(0.8, abs=0.05)
    assert len(runs["dense-seed1"]["validation"]) == 16
    assert runs["tau-0.08-seed1"]["curve"][0][2] == pytest.approx([8e-2])
    losses = [value for _, value in runs["dense-seed1"]["validation"]]
    assert losses[-1] < 1.5 < losses[0], "it must have learned"


def test_finished_runs_are_not_repeated_and_a_stopped_one_is(folder, text, tmp_path):
    class Stopped(Exception):
        pass

    def stop(name, record):
        if name == "tau-0.008-seed1" and record.step == 7:
            raise Stopped

    ran = []
    with pytest.raises(Stopped):
        zhu2017.reproduce(TINY, tmp_path, stop)
    assert len(zhu2017.missing(TINY, tmp_path)) == COUNT - 2
    assert zhu2017.missing(TINY, folder) == {}
    zhu2017.reproduce(TINY, tmp_path, on_run=lambda name, result: ran.append(name))
    assert ran == list(TINY.runs())[2:]
    for name in TINY.runs():  # stopping changed nothing, and two runs are the same run
        assert timeless(tmp_path / f"runs/{name}.json") == timeless(folder / f"runs/{name}.json")
    ran.clear()
    other = replace(TINY, taus=(8e-3, 9e-2))
    zhu2017.reproduce(other, tmp_path, on_run=lambda name, result: ran.append(name))
    assert ran == ["tau-0.09-seed1"]


def test_the_command_prints_verdicts(folder, text, monkeypatch):
    monkeypatch.setattr(zhu2017, "QUICK", TINY)
    result = CliRunner().invoke(cli.app, ["reproduce", "zhu2017", "--quick", "-o", str(folder)])
    assert result.exit_code == 0, result.output
    assert result.stdout.count("in this run") == 9
    found = CliRunner().invoke(cli.app, ["reproduce", "zhu2017", "-o", str(folder), "--json"])
    value = json.loads(found.stdout)
    assert value["name"] == "zhu2017"
    assert [set(verdict) for verdict in value["verdicts"]] == [
        {"claim", "paper", "here", "holds"}
    ] * 9


def test_help():
    text = CliRunner().invoke(cli.app, ["--help"]).stdout
    (line,) = [line for line in text.splitlines() if line.startswith("│ reproduce ")]
    assert line.rstrip(" │").endswith(".")
    text = CliRunner().invoke(cli.app, ["reproduce", "--help"]).stdout
    assert all(option in text for option in ("--json", "--quick", "--output", "zhu2017: "))


def verdict(results, claim):
    """The only verdict on a claim that holds these words."""
    (found,) = [trend for trend in trends(results) if claim in trend.claim]
    return found


def test_verdicts_follow_the_runs(results):
    runs = results.runs
    for name, run in runs.items():
        run["validation"][-1][1] = 2.0
        run["sparsity"] = [[0.9] * 4]
        if name.startswith("tau-0.08"):
            run["validation"][-1][1] = 2.1
    static, above = (verdict(results, claim) for claim in ("A static", "The next step up"))
    assert static.holds
    assert static.here == "90.0 % with tau-0.008: +0.0 %"
    assert above.holds
    assert above.here == "tau-0.08: +5.0 %"
    assert verdict(results, "other layers").holds
    runs["tau-0.008-seed1"]["sparsity"] = [[0.7] * 4]
    assert not verdict(results, "A static").holds
    runs["tau-0.08-seed1"]["validation"][-1][1] = 2.0
    runs["tau-0.08-seed2"]["validation"][-1][1] = 2.0
    assert verdict(results, "A static").holds
    assert not verdict(results, "The next step up").holds
    runs["2x8-steps10-zeros"]["validation"][-1][1] = 2.1
    assert verdict(results, "other layers").here == "1 of 2 networks; worst +5.0 %"
    assert not verdict(results, "other layers").holds
    for name in runs:
        if name.startswith("tau"):
            runs[name]["validation"][-1][1] = 3.0
    assert verdict(results, "A static").here == "no threshold without loss"
    assert not verdict(results, "A static").holds
    assert not verdict(results, "multiplications").holds


def test_verdicts_on_a_single_step(results):
    points = [
        {"tau": tau, "sparsity": share, "correlation": likeness}
        for tau, share, likeness in ((0.0, 0.1, 1.0), (0.01, 0.8, 0.97), (0.1, 0.99, 0.3))
    ]
    for stage in results.stages:
        stage["points"] = points
    assert verdict(results, "In one step").holds
    assert verdict(results, "ten times").here == "0.30, 0.30, 0.30"
    assert verdict(results, "ten times").holds
    points[1]["sparsity"], points[2]["correlation"] = 0.7, 0.6
    assert not verdict(results, "In one step").holds
    assert not verdict(results, "ten times").holds


def test_redundant_multiplications():
    """Zhu et al.: 80 % zeros in four of six products are 53 % of all."""
    assert redundant_share(Recipe(layers=3), [0.8, 0.8, 0.8]) == pytest.approx(0.8 * 4 / 6)
    wide = redundant_share(Recipe(layers=2, cells=128), [0.0, 0.9])
    assert wide == pytest.approx(0.9 * 4 / 6 * 256 / (192 + 256))


@pytest.mark.parametrize("plan", [QUICK, FULL], ids=["quick", "full"])
def test_every_run_of_the_plans_is_a_valid_network(plan):
    runs = plan.runs()
    assert len(runs) == len({json.dumps(run.plain("")) + name for name, run in runs.items()})
    for recipe in runs.values():
        spec = recipe.spec(96, "pydoc")
        assert len(spec.layers) == recipe.layers + 2
        assert spec.train.sparsify is not None
    assert set(plan.repeated) <= set(plan.taus)


def test_store(tmp_path):
    store, recipe = Store(tmp_path / "runs"), {"seed": 1, "taus": (1, 2)}
    assert store.find("a", recipe) is None
    store.keep("a", recipe, {"loss": 0.1})
    assert store.find("a", recipe) == {"loss": 0.1}
    assert store.find("a", {**recipe, "seed": 2}) is None
    (tmp_path / "runs" / "a.json").write_text("{")
    with pytest.raises(FileError, match=r"a\.json: not a stored run \(.*\); delete it"):
        store.find("a", recipe)


def test_outcome(tmp_path):
    table = Table(name="t", title="T", columns=["a", "b"], rows=[[1, 0.123456], [None, "x"]])
    outcome = Outcome(
        name="page",
        title="Title",
        setup="Setup.",
        trends=[
            Trend(claim="c", paper="p", here="h", holds=True),
            Trend(claim="d", paper="p", here="h", holds=False),
        ],
        tables=[table],
        plots=[Plot(name="f", title="F", svg="<svg/>")],
    )
    page = outcome.write(tmp_path)
    assert page.read_text() == (
        "# Title\n\nSetup.\n\n### Claims of the paper\n\n"
        "| claim | paper | here | verdict |\n| --- | --- | --- | --- |\n"
        "| c | p | h | holds in this run |\n| d | p | h | does not hold in this run |\n\n"
        "### T\n\n| a | b |\n| --- | --- |\n| 1 | 0.1235 |\n|  | x |\n\n"
        "### F\n\n![F](f.svg)\n"
    )
    assert (tmp_path / "t.csv").read_text() == "a,b\n1,0.123456\n,x\n"
    assert (tmp_path / "f.svg").read_text() == "<svg/>"
