"""Sung, Shin and Hwang 2015, Resiliency of Deep Neural Networks under Quantization."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fxsim import data
from fxsim.data import Dataset
from fxsim.quantize import quantized_parameters
from fxsim.report.lines import Panel, Series, line_figure
from fxsim.reproduce.classifier import direct, error, feed_forward, in_integers, levels_of
from fxsim.reproduce.experiment import Outcome, Plot, Table, Trend, spread
from fxsim.reproduce.runs import OnRun, collect
from fxsim.train import train

BITS = (2, 3, 4, 6)
"""Direct quantization; retraining is for the first two."""

PAPER_DEPTH = {
    1: (34.67, 3.91, 1.90),
    2: (31.51, 2.38, 1.53),
    3: (30.81, 2.24, 0.91),
    4: (30.31, 1.55, 1.18),
}
"""Table 1 of the paper by hidden layers: float error, gaps after retraining with 3 and 7 levels."""

SETUP = """\
Feed-forward networks with ReLU on frames of {data} ({train} to train, {test} to test, {inputs}
inputs, {classes} classes folded for the score). Dropout of 5 %, SGD with Nesterov momentum,
{epochs} epochs in float, then {extra} with weights quantized by eq. (3) at the step of eq. (4) of
the float parent. Biases and activations stay float, as in the paper. Errors are in percent of the
frames. The gap is that to the float network *trained for the same further epochs*, since retraining
is training too; the gap to the float parent stands beside it. The paper has 1.1 million frames of
TIMIT; its figures cannot be compared as such, the trends can."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One network; ``groups`` asks for the error with one layer quantized at a time."""

    layers: int
    units: int
    seed: int = 1
    epochs: int = 6
    extra: int = 3
    groups: bool = True


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Widths at ``depth`` hidden layers with their seeds, and depths at the width ``across``."""

    widths: Mapping[int, tuple[int, ...]]
    depth: int
    depths: tuple[int, ...]
    across: int
    epochs: int
    extra: int

    def recipes(self) -> dict[str, Recipe]:
        """Every run by its name."""
        wanted = [(self.depth, n, seed) for n, seeds in self.widths.items() for seed in seeds]
        wanted += [(layers, self.across, 1) for layers in self.depths]
        return {
            run_name(layers, units, seed): Recipe(
                layers=layers, units=units, seed=seed, epochs=self.epochs, extra=self.extra
            )
            for layers, units, seed in wanted
        }


QUICK = Plan(
    widths={32: (1, 2), 64: (1, 2), 128: (1,), 256: (1,)},
    depth=4,
    depths=(1, 2, 3, 4),
    across=128,
    epochs=6,
    extra=3,
)
FULL = Plan(
    widths={32: (1, 2, 3), 64: (1, 2, 3), 128: (1, 2, 3), 256: (1, 2, 3), 512: (1, 2), 1024: (1,)},
    depth=4,
    depths=(1, 2, 3, 4),
    across=512,
    epochs=20,
    extra=10,
)


def run_name(layers: int, units: int, seed: int) -> str:
    """Name of a run in the store."""
    return f"{layers}x{units}-seed{seed}"


def reproduce(
    plan: Plan, folder: Path, source: str = "phonemes", on_run: OnRun | None = None
) -> Outcome:
    """Do the runs that are not yet in ``folder``, and evaluate all.

    Raises
    ------
    FxsimError
        If the data or stored runs cannot be read, or the loss of a run stops being finite.
    """
    dataset = data.load(source)
    dataset = dataset.shaped((int(np.prod(dataset.train.shape)),))
    results = collect(plan.recipes(), folder, source, lambda recipe: run(recipe, dataset), on_run)
    return evaluate(plan, dataset, results)


def run(recipe: Recipe, dataset: Dataset) -> dict[str, Any]:
    """Errors of one network in percent, by what was done to it."""
    start, cpu = time.perf_counter(), time.process_time()
    hidden = [recipe.units] * recipe.layers
    optimizer = {"lr": 0.02, "momentum": 0.9}
    common = {"batch": 128, "dropout": 0.05, "seed": recipe.seed}
    base = common | {"optimizer": optimizer, "epochs": recipe.epochs, "final_lr": 0.025}
    more = {"optimizer": optimizer | {"lr": 0.005}, "epochs": recipe.extra, "final_lr": 0.05}
    plain = feed_forward(dataset, hidden, 3, base)
    parent = train(plain, dataset).parent
    trained = time.perf_counter() - start
    further = train(feed_forward(dataset, hidden, 3, common | more), dataset, start=parent)
    found: dict[str, Any] = {
        "float": error(plain, parent, dataset),
        "further": error(plain, further.parent, dataset),
        "direct": {},
        "retrained": {},
        "groups": {},
        "seconds_per_epoch": trained / recipe.epochs,
    }
    for bits in BITS:
        spec = feed_forward(dataset, hidden, levels_of(bits), base)
        found["direct"][str(bits)] = error(spec, direct(spec, parent), dataset)
    for bits in BITS[:2]:
        spec = feed_forward(dataset, hidden, levels_of(bits), common | {"epochs": 0}, more)
        checkpoint = train(spec, dataset, start=parent)
        parameters = quantized_parameters(spec, checkpoint)
        found["retrained"][str(bits)] = error(spec, parameters, dataset)
        found[f"integers_{bits}"] = in_integers(spec, checkpoint, dataset)
    if recipe.groups:
        quantized = direct(plain, parent)
        for i, name in enumerate(parent):
            mixed = dict(parent) | {name: quantized[name]}
            label = "In-h1" if i == 0 else f"h{i}-{'out' if i == recipe.layers else f'h{i + 1}'}"
            found["groups"][label] = error(plain, mixed, dataset)
    found["seconds"] = time.perf_counter() - start
    found["cpu"] = time.process_time() - cpu
    return found


def evaluate(plan: Plan, dataset: Dataset, results: Mapping[str, dict[str, Any]]) -> Outcome:
    """Verdicts, tables and figures of finished runs."""
    widths = {
        units: [results[run_name(plan.depth, units, seed)] for seed in seeds]
        for units, seeds in plan.widths.items()
    }
    depths = {layers: results[run_name(layers, plan.across, 1)] for layers in plan.depths}
    setup = SETUP.format(
        data=dataset.name,
        train=len(dataset.train.y),
        test=len(dataset.test.y),
        inputs=int(np.prod(dataset.train.shape)),
        classes=dataset.classes,
        epochs=plan.epochs,
        extra=plan.extra,
    )
    return Outcome(
        name="sung2015",
        title="Resiliency of deep networks under quantization (Sung et al. 2015)",
        setup=setup,
        trends=_trends(widths, depths),
        tables=_tables(widths, depths),
        plots=_plots(widths, depths),
    )


Widths = Mapping[int, list[dict[str, Any]]]
Depths = Mapping[int, dict[str, Any]]


def gap(run: Mapping[str, Any], bits: int, *, against: str = "further") -> float:
    """Error of the retrained network above that of a float network, in points."""
    return float(run["retrained"][str(bits)] - run[against])


def damage(run: Mapping[str, Any], bits: int) -> float:
    """Error that direct quantization adds, in points."""
    return float(run["direct"][str(bits)] - run["float"])


def excess(run: Mapping[str, Any], group: str) -> float:
    """Error that quantizing one group of weights to 3 levels adds, in points."""
    return float(run["groups"][group] - run["float"])


def _mean(runs: list[dict[str, Any]], value: Any, *arguments: Any) -> float:
    return float(np.mean([value(run, *arguments) for run in runs]))


def _trends(widths: Widths, depths: Depths) -> list[Trend]:
    small, large = min(widths), max(widths)
    ends = {units: widths[units] for units in (small, large)}
    retrained = [_mean(runs, gap, 2) for runs in ends.values()]
    straight = [_mean(runs, damage, 2) for runs in ends.values()]
    first = [_mean(runs, excess, "In-h1") for runs in widths.values()]
    last_group = f"h{_depth_of(widths[small][0])}-out"
    last = [_mean(runs, excess, last_group) for runs in widths.values()]
    six = max(abs(_mean(runs, damage, 6)) for units, runs in widths.items() if units >= 128)
    gaps = [gap(depths[k], 2) for k in (min(depths), max(depths))]
    return [
        Trend(
            claim="The gap of retrained ternary networks shrinks with width",
            paper="Fig. 6: nearly none at 1024 units",
            here=f"{retrained[0]:.2f} points at {small} units, {retrained[1]:.2f} at {large}",
            holds=retrained[1] < retrained[0] / 2,
        ),
        Trend(
            claim="It shrinks faster than the damage of direct quantization",
            paper="Fig. 6",
            here=(
                f"gap / {retrained[0] / max(retrained[1], 0.01):.1f}, direct damage"
                f" / {straight[0] / max(straight[1], 0.01):.1f} from {small} to {large} units"
            ),
            holds=retrained[1] / retrained[0] < straight[1] / straight[0],
        ),
        Trend(
            claim="Retraining with 7 levels leaves less than with 3",
            paper="Table 1: 1.18 against 1.55 points",
            here=" / ".join(
                f"{_mean(runs, gap, 3):.2f} against {_mean(runs, gap, 2):.2f}"
                for runs in widths.values()
            ),
            holds=all(_mean(runs, gap, 3) < _mean(runs, gap, 2) for runs in widths.values()),
        ),
        Trend(
            claim="6 bits suffice for direct quantization of networks with 128 units and more",
            paper="Fig. 6",
            here=f"at most {six:.2f} points",
            holds=six < 0.5,
        ),
        Trend(
            claim="The excess error of In-h1 alone is about constant in width",
            paper="Fig. 4",
            here=" / ".join(f"{value:.2f}" for value in first),
            holds=max(first) < 2.5 * min(first),
        ),
        Trend(
            claim="The excess error of the output layer alone shrinks with width",
            paper="Fig. 4",
            here=" / ".join(f"{value:.2f}" for value in last),
            holds=last[-1] < last[0] / 2,
        ),
        Trend(
            claim="The gap of retrained ternary networks shrinks with depth",
            paper="Table 1: 3.91 to 1.55 points from 1 to 4 layers",
            here=f"{gaps[0]:.2f} to {gaps[1]:.2f} from {min(depths)} to {max(depths)}",
            holds=gaps[1] < gaps[0],
        ),
        Trend(
            claim="The float error falls with depth",
            paper="Table 1: 34.67 to 30.31 % from 1 to 4 layers",
            here=f"{depths[min(depths)]['float']:.2f} to {depths[max(depths)]['float']:.2f} %",
            holds=depths[max(depths)]["float"] < depths[min(depths)]["float"],
        ),
    ]


def _depth_of(run: Mapping[str, Any]) -> int:
    return len(run["groups"]) - 1


def _tables(widths: Widths, depths: Depths) -> list[Table]:
    def cells(runs: list[dict[str, Any]]) -> list[str]:
        columns = [[run["float"] for run in runs], [run["further"] for run in runs]]
        columns += [[run["direct"][str(bits)] for run in runs] for bits in BITS]
        columns += [[run["retrained"][str(bits)] for run in runs] for bits in BITS[:2]]
        columns += [[gap(run, bits) for run in runs] for bits in BITS[:2]]
        columns += [[gap(run, bits, against="float") for run in runs] for bits in BITS[:2]]
        return [spread(values) for values in columns]

    names = ["float", "float + epochs", *[f"direct {bits} b" for bits in BITS]]
    names += [f"retrained {bits} b" for bits in BITS[:2]]
    names += [f"gap {bits} b" for bits in BITS[:2]] + [f"to parent {bits} b" for bits in BITS[:2]]
    groups = list(next(iter(widths.values()))[0]["groups"])
    paper = {k: PAPER_DEPTH[k] for k in depths if k in PAPER_DEPTH}
    runs = [
        (f"{units} units, seed {i + 1}", run)
        for units in widths
        for i, run in enumerate(widths[units])
    ]
    return [
        Table(
            name="width",
            title="Width",
            columns=["units", *names],
            rows=[[units, *cells(runs)] for units, runs in widths.items()],
            note="Errors in percent; mean ± standard deviation where there are more seeds.",
        ),
        Table(
            name="depth",
            title="Depth",
            columns=["hidden layers", *names, "paper: float", "gap 2 b", "gap 3 b"],
            rows=[
                [layers, *cells([run]), *paper.get(layers, ("", "", ""))]
                for layers, run in depths.items()
            ],
        ),
        Table(
            name="groups",
            title="One group of weights quantized to 3 levels",
            columns=["units", *groups],
            rows=[
                [units, *[f"{_mean(runs, excess, group):.2f}" for group in groups]]
                for units, runs in widths.items()
            ],
            note="Points above the float network, directly quantized.",
        ),
        Table(
            name="integers",
            title="Integers against fake quantization",
            columns=["network", "bits", "fake, %", "fixed point, %", "differing", "at 16 bits"],
            rows=[
                [name, bits, *[run[f"integers_{bits}"][key] for key in INTEGERS]]
                for name, run in runs
                for bits in BITS[:2]
            ],
            note=(
                "Predictions of 4000 that differ between the bit-exact simulator with 8-bit"
                " activations and quantized weights with float activations, and how many still do"
                " with 16-bit activations: the others are due to the rounding of activations, the"
                " rest to ties that float arithmetic broke otherwise and to the last bits of 16."
            ),
        ),
        Table(
            name="seconds",
            title="Time",
            columns=["network", "seconds", "processor seconds", "seconds per float epoch"],
            rows=[[n, run["seconds"], run["cpu"], run["seconds_per_epoch"]] for n, run in runs],
        ),
    ]


INTEGERS = ("fake", "fixed", "differing", "differing_16")


def _plots(widths: Widths, depths: Depths) -> list[Plot]:
    def line(label: str, key: str, bits: int | None = None) -> Series:
        def value(run: dict[str, Any]) -> float:
            return float(run[key] if bits is None else run[key][str(bits)])

        return Series(
            label=label, x=list(widths), y=[_mean(runs, value) for runs in widths.values()]
        )

    errors = [line("float", "float"), line("float + epochs", "further")]
    errors += [line(f"direct {bits} b", "direct", bits) for bits in BITS[:2]]
    errors += [line(f"retrained {bits} b", "retrained", bits) for bits in BITS[:2]]
    groups = [
        Series(
            label=group,
            x=list(widths),
            y=[_mean(runs, excess, group) for runs in widths.values()],
        )
        for group in next(iter(widths.values()))[0]["groups"]
    ]
    return [
        Plot(
            name="width",
            title="Error over width, and of one group alone",
            svg=line_figure(
                [
                    Panel(title="all layers", x="units", y="error, %", series=errors, log_x=True),
                    Panel(
                        title="one group with 3 levels",
                        x="units",
                        y="points above float",
                        series=groups,
                        log_x=True,
                    ),
                ],
                4.4,
            ),
        ),
        Plot(
            name="depth",
            title="Gap to the float network over depth",
            svg=line_figure(
                [
                    Panel(
                        title="",
                        x="hidden layers",
                        y="points",
                        series=[
                            Series(
                                label=f"retrained {bits} b",
                                x=list(depths),
                                y=[gap(run, bits) for run in depths.values()],
                            )
                            for bits in BITS[:2]
                        ],
                    )
                ]
            ),
        ),
    ]
