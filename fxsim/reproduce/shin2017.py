"""Shin, Boo and Sung 2017, Fixed-point Optimization of DNNs with Adaptive Step Size Retraining."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fxsim import data
from fxsim.data import Dataset
from fxsim.evaluate import float_bits_per_character
from fxsim.quantize import quantized_parameters
from fxsim.report.lines import Panel, Series, line_figure
from fxsim.reproduce.classifier import direct, error, feed_forward, in_integers, levels_of
from fxsim.reproduce.experiment import Outcome, Plot, Table, Trend, spread
from fxsim.reproduce.language import language_model
from fxsim.reproduce.runs import OnRun, collect
from fxsim.spec import NetworkSpec
from fxsim.train import Progress, train

SCHEMES = ("fixed", "adaptive", "first")
"""Conventional; a refresh at each epoch of the first half; eight in the first epoch, then fixed."""

GRADUAL = (6, 4, 3)
"""Bits on the way down to 2."""

PAPER_GRADUAL = {"conventional": 31.43, "adaptive": 30.61, "gradual": 30.69, "both": 30.62}
"""Table 2 of the paper, 2 x 512 units and 2 bits."""

PAPER_BPC = {2: (8.46, 2.48, 2.42), 3: (7.18, 2.52, 2.35), 4: (4.49, 2.43, 2.32)}
"""LSTM of 64 cells by bits: direct, conventional, adaptive."""

SETUP = """\
Retraining with quantized weights by three schemes: *conventional*, with the L2-optimal step of the
float parent; *adaptive*, with the step refreshed at every epoch of the first half; *first*,
refreshed eight times in the first epoch, then fixed ("1 epoch update and fix"). A step is never
refreshed after the last update. Feed-forward networks with two hidden layers on frames of {frames}
(errors in percent, classes folded), {seeds} seeds; a character language model on {text} (bits per
character). Biases and activations stay float, as in the paper. *Gradual* retraining goes down
6, 4, 3, 2 bits with as many epochs each; beside it stands straight retraining for as many epochs in
all, a control that the paper lacks."""


@dataclass(frozen=True, kw_only=True)
class Frames:
    """One feed-forward network."""

    units: int
    seed: int
    bits: tuple[int, ...] = (2, 3)
    gradual: bool = False
    epochs: int = 6
    extra: int = 4


@dataclass(frozen=True, kw_only=True)
class Text:
    """One character language model."""

    cells: int
    bits: tuple[int, ...] = (2, 3, 4)
    seed: int = 1
    epochs: int = 2
    extra: int = 1


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Networks of both kinds."""

    frames: tuple[Frames, ...]
    text: tuple[Text, ...]

    def recipes(self) -> dict[str, Frames | Text]:
        """Every run by its name."""
        found: dict[str, Frames | Text] = {f"frames-{r.units}-seed{r.seed}": r for r in self.frames}
        return found | {f"text-{r.cells}-seed{r.seed}": r for r in self.text}


QUICK = Plan(
    frames=(
        *(Frames(units=32, seed=seed) for seed in (1, 2, 3)),
        Frames(units=64, seed=1, gradual=True),
        Frames(units=64, seed=2, gradual=True),
    ),
    text=(Text(cells=32), Text(cells=64)),
)
FULL = Plan(
    frames=tuple(
        Frames(units=units, seed=seed, gradual=units == 512, epochs=20, extra=12)
        for units in (64, 128, 256, 512)
        for seed in (1, 2, 3)
    ),
    text=tuple(Text(cells=cells, epochs=6, extra=3) for cells in (32, 64, 128, 256)),
)


def reproduce(
    plan: Plan, folder: Path, source: str = "phonemes", on_run: OnRun | None = None
) -> Outcome:
    """Do the runs that are not yet in ``folder``, and evaluate all.

    Raises
    ------
    FxsimError
        If the data or stored runs cannot be read, or the loss of a run stops being finite.
    """
    frames = data.load(source)
    frames = frames.shaped((int(np.prod(frames.train.shape)),))
    text = data.load("pydoc")

    def work(recipe: Frames | Text) -> dict[str, Any]:
        start, cpu = time.perf_counter(), time.process_time()
        found = _frames(recipe, frames) if isinstance(recipe, Frames) else _text(recipe, text)
        found["seconds"] = time.perf_counter() - start
        return found | {"cpu": time.process_time() - cpu}

    results = collect(plan.recipes(), folder, f"{source} pydoc", work, on_run)
    return evaluate(plan, results, source)


def _retrain(scheme: str, epochs: int, optimizer: Mapping[str, Any]) -> dict[str, Any]:
    return {"scheme": scheme, "epochs": epochs, "optimizer": dict(optimizer), "final_lr": 0.05}


def _frames(recipe: Frames, dataset: Dataset) -> dict[str, Any]:
    hidden, optimizer = [recipe.units] * 2, {"lr": 0.02, "momentum": 0.9}
    common = {"batch": 128, "dropout": 0.2, "seed": recipe.seed}
    base = common | {"optimizer": optimizer, "epochs": recipe.epochs, "final_lr": 0.025}
    slow = optimizer | {"lr": 0.005}

    def spec(bits: int, retrain: dict[str, Any] | None = None) -> NetworkSpec:
        epochs = base if retrain is None else base | {"epochs": 0}
        return feed_forward(dataset, hidden, levels_of(bits), epochs, retrain)

    plain = spec(2)
    parent = train(plain, dataset).parent
    more = common | {"optimizer": slow, "epochs": recipe.extra, "final_lr": 0.05}
    further = train(feed_forward(dataset, hidden, 3, more), dataset, start=parent).parent
    found: dict[str, Any] = {
        "float": error(plain, parent, dataset),
        "further": error(plain, further, dataset),
        "direct": {str(b): error(spec(b), direct(spec(b), parent), dataset) for b in recipe.bits},
        "retrained": {},
        "steps": {},
        "gradual": {},
    }

    def retrained(wanted: NetworkSpec, steps: list[Progress] | None = None) -> float:
        on_epoch = None if steps is None else steps.append
        checkpoint = train(wanted, dataset, on_epoch, start=parent)
        if steps is not None:
            found["integers"] = in_integers(wanted, checkpoint, dataset)
        return error(wanted, quantized_parameters(wanted, checkpoint), dataset)

    for scheme in SCHEMES:
        for bits in recipe.bits:
            steps: list[Progress] | None = [] if scheme == "adaptive" and bits == 2 else None
            wanted = spec(bits, _retrain(scheme, recipe.extra, slow))
            found["retrained"][f"{scheme}-{bits}"] = retrained(wanted, steps)
            if steps:
                start = steps[0].steps
                found["steps"] = {
                    name: [float(p.steps[name][0] / start[name][0]) for p in steps]
                    for name in start
                }
    if recipe.gradual:
        stages = [levels_of(bits) for bits in GRADUAL]
        for scheme in SCHEMES[:2]:
            down = _retrain(scheme, recipe.extra, slow) | {"gradual": stages}
            found["gradual"][f"gradual-{scheme}"] = retrained(spec(2, down))
            straight = _retrain(scheme, recipe.extra * (len(stages) + 1), slow)
            found["gradual"][f"straight-{scheme}"] = retrained(spec(2, straight))
    return found


def _text(recipe: Text, dataset: Dataset) -> dict[str, Any]:
    optimizer = {"type": "adam", "lr": 0.008}
    common = {"batch": 16, "steps": 48, "clip": 1.0, "seed": recipe.seed}
    base = common | {"optimizer": optimizer, "epochs": recipe.epochs, "final_lr": 0.25}
    slow = optimizer | {"lr": 0.002}

    def spec(bits: int, retrain: dict[str, Any] | None = None) -> NetworkSpec:
        recipe_of = base if retrain is None else common | {"epochs": 0}
        return language_model(dataset, recipe.cells, levels_of(bits), recipe_of, retrain)

    def bpc(wanted: NetworkSpec, parameters: Mapping[str, Any]) -> float:
        return float_bits_per_character(wanted, parameters, dataset.test)

    parent = train(spec(2), dataset).parent
    more = common | {"optimizer": slow, "epochs": recipe.extra, "final_lr": 0.17}
    further = train(language_model(dataset, recipe.cells, 3, more), dataset, start=parent).parent
    found: dict[str, Any] = {
        "float": bpc(spec(2), parent),
        "further": bpc(spec(2), further),
        "direct": {str(bits): bpc(spec(bits), direct(spec(bits), parent)) for bits in recipe.bits},
        "retrained": {},
    }
    for scheme in ("fixed", "first"):
        for bits in recipe.bits:
            wanted = spec(bits, _retrain(scheme, recipe.extra, slow) | {"final_lr": 0.17})
            checkpoint = train(wanted, dataset, start=parent)
            found["retrained"][f"{scheme}-{bits}"] = bpc(
                wanted, quantized_parameters(wanted, checkpoint)
            )
    return found


def evaluate(plan: Plan, results: Mapping[str, dict[str, Any]], source: str) -> Outcome:
    """Verdicts, tables and figures of finished runs."""
    frames: dict[int, list[dict[str, Any]]] = {}
    for recipe in plan.frames:
        frames.setdefault(recipe.units, []).append(
            results[f"frames-{recipe.units}-seed{recipe.seed}"]
        )
    text = {r.cells: results[f"text-{r.cells}-seed{r.seed}"] for r in plan.text}
    gradual = [run for runs in frames.values() for run in runs if run["gradual"]]
    seeds = max(len(runs) for runs in frames.values())
    return Outcome(
        name="shin2017",
        title="Adaptive step size and gradual retraining (Shin et al. 2017)",
        setup=SETUP.format(frames=source, text="pydoc", seeds=seeds),
        trends=_trends(frames, text, gradual),
        tables=[
            *_frames_tables(frames),
            _gradual_table(gradual),
            _text_table(text),
            _integers_table(frames),
            _seconds(results),
        ],
        plots=[_steps_plot(frames)],
    )


def _differences(runs: Sequence[Mapping[str, Any]], scheme: str, bits: int) -> list[float]:
    """Error of a scheme minus that of the conventional one, seed by seed."""
    key, base = f"{scheme}-{bits}", f"fixed-{bits}"
    return [run["retrained"][key] - run["retrained"][base] for run in runs]


def _trends(
    frames: Mapping[int, list[dict[str, Any]]],
    text: Mapping[int, dict[str, Any]],
    gradual: Sequence[Mapping[str, Any]],
) -> list[Trend]:
    trends = []
    for units, runs in frames.items():
        best = min(SCHEMES[1:], key=lambda scheme: np.mean(_differences(runs, scheme, 2)))
        found = _differences(runs, best, 2)
        trends.append(
            Trend(
                claim=f"Adaptive steps beat a fixed one, feed-forward, {units} units, 2 bits",
                paper="43.73 to 42.06 % (64), 37.80 to 36.88 % (128)",
                here=f"{best}: {spread(found)} points, {len(found)} seeds, paired",
                holds=float(np.mean(found)) < 0,
            )
        )
    down = {key: [run["gradual"][key] for run in gradual] for key in gradual[0]["gradual"]}
    plain = [run["retrained"]["fixed-2"] for run in gradual]
    adaptive = [min(run["retrained"][f"{s}-2"] for s in SCHEMES[1:]) for run in gradual]
    trends += [
        Trend(
            claim="Gradual retraining beats straight retraining with a fixed step",
            paper="31.43 to 30.69 %",
            here=f"{spread(plain)} to {spread(down['gradual-fixed'])} %",
            holds=float(np.mean(down["gradual-fixed"])) < float(np.mean(plain)),
        ),
        Trend(
            claim="... and for as many epochs in all",
            paper="not tested",
            here=f"{spread(down['straight-fixed'])} to {spread(down['gradual-fixed'])} %",
            holds=float(np.mean(down["gradual-fixed"])) < float(np.mean(down["straight-fixed"])),
        ),
        Trend(
            claim="Gradual about equals adaptive",
            paper="30.69 against 30.61 %",
            here=f"{spread(down['gradual-fixed'])} against {spread(adaptive)} %",
            holds=abs(float(np.mean(down["gradual-fixed"])) - float(np.mean(adaptive))) < 0.5,
        ),
    ]
    ends = [run["steps"] for runs in frames.values() for run in runs]
    first, *_, last = ends[0]
    drift = [float(np.mean([abs(end[name][-1] - 1) for end in ends])) for name in (first, last)]
    trends.append(
        Trend(
            claim="The step of the last layer moves most, that of the first hardly",
            paper="Fig. 2",
            here=f"{100 * drift[0]:.1f} % against {100 * drift[1]:.1f} %",
            holds=drift[1] > 2 * drift[0],
        )
    )
    for cells, run in text.items():
        for bits in (2, 3, 4):
            fixed, adapted = (run["retrained"][f"{s}-{bits}"] for s in ("fixed", "first"))
            straight = run["direct"][str(bits)]
            trends.append(
                Trend(
                    claim=f"LSTM, {cells} cells, {bits} bits: direct far worse, adaptive best",
                    paper=" / ".join(map(str, PAPER_BPC[bits])) + " (64 cells)",
                    here=f"{straight:.3f} / {fixed:.3f} / {adapted:.3f}",
                    holds=adapted < fixed < straight,
                )
            )
    return trends


def _frames_tables(frames: Mapping[int, list[dict[str, Any]]]) -> list[Table]:
    def row(runs: list[dict[str, Any]], bits: int) -> list[str]:
        cells: list[Callable[[dict[str, Any]], float]] = [
            lambda run: run["float"],
            lambda run: run["further"],
            lambda run: run["direct"][str(bits)],
        ]
        cells += [lambda run, s=s: run["retrained"][f"{s}-{bits}"] for s in SCHEMES]  # type: ignore[misc]
        return [spread([cell(run) for run in runs]) for cell in cells]

    return [
        Table(
            name="frames",
            title="Feed-forward networks with two hidden layers",
            columns=["units", "bits", "seeds", "float", "float + epochs", "direct", *SCHEMES],
            rows=[
                [units, bits, len(runs), *row(runs, bits)]
                for units, runs in frames.items()
                for bits in (2, 3)
            ],
            note="Errors in percent, mean ± standard deviation of the seeds.",
        ),
        Table(
            name="paired",
            title="Against the conventional scheme, seed by seed",
            columns=["units", "bits", *SCHEMES[1:]],
            rows=[
                [units, bits, *[spread(_differences(runs, s, bits)) for s in SCHEMES[1:]]]
                for units, runs in frames.items()
                for bits in (2, 3)
            ],
            note="Points; less than 0 is better than conventional.",
        ),
    ]


def _gradual_table(runs: Sequence[Mapping[str, Any]]) -> Table:
    rows: list[list[Any]] = [
        ["conventional", spread([r["retrained"]["fixed-2"] for r in runs]), 31.43],
        ["adaptive", spread([r["retrained"]["adaptive-2"] for r in runs]), 30.61],
        ["first", spread([r["retrained"]["first-2"] for r in runs]), ""],
    ]
    labels = {
        "gradual-fixed": ("gradual", 30.69),
        "gradual-adaptive": ("gradual and adaptive", 30.62),
        "straight-fixed": ("conventional, epochs of gradual", ""),
        "straight-adaptive": ("adaptive, epochs of gradual", ""),
    }
    for key, (label, paper) in labels.items():
        rows.append([label, spread([r["gradual"][key] for r in runs]), paper])
    return Table(
        name="gradual",
        title="2 bits, straight and gradual",
        columns=["retraining", "error, %", "paper, 2 x 512"],
        rows=rows,
    )


def _text_table(text: Mapping[int, dict[str, Any]]) -> Table:
    rows = []
    for cells, run in text.items():
        for bits in (2, 3, 4):
            found = [run["direct"][str(bits)]]
            found += [run["retrained"][f"{s}-{bits}"] for s in ("fixed", "first")]
            rows.append([cells, bits, run["float"], run["further"], *found, *PAPER_BPC[bits]])
    columns = ["cells", "bits", "float", "float + epochs", "direct", "conventional", "first"]
    return Table(
        name="text",
        title="Character language model, bits per character",
        columns=[*columns, "paper: direct", "conventional", "adaptive"],
        rows=rows,
        note="The paper's figures are for 64 cells and its own text.",
    )


def _integers_table(frames: Mapping[int, list[dict[str, Any]]]) -> Table:
    keys = ("fake", "fixed", "differing", "differing_16")
    return Table(
        name="integers",
        title="Integers against fake quantization",
        columns=["units", "seed", "fake, %", "fixed point, %", "differing", "at 16 bits"],
        rows=[
            [units, i + 1, *[run["integers"][key] for key in keys]]
            for units, runs in frames.items()
            for i, run in enumerate(runs)
        ],
        note=(
            "Adaptive, 2 bits; predictions of 4000 that differ between the bit-exact simulator with"
            " 8-bit activations and float activations, and those left with 16-bit ones."
        ),
    )


def _seconds(results: Mapping[str, dict[str, Any]]) -> Table:
    return Table(
        name="seconds",
        title="Time",
        columns=["run", "seconds", "processor seconds"],
        rows=[[name, run["seconds"], run["cpu"]] for name, run in results.items()],
    )


def _steps_plot(frames: Mapping[int, list[dict[str, Any]]]) -> Plot:
    panels = []
    for units, runs in frames.items():
        steps = runs[0]["steps"]
        series = [
            Series(label=f"layer {i + 1}", x=list(range(1, len(values) + 1)), y=values)
            for i, values in enumerate(steps.values())
        ]
        panels.append(Panel(title=f"{units} units", x="epoch", y="step / first", series=series))
    return Plot(
        name="steps",
        title="Adaptive steps over retraining, 2 bits",
        svg=line_figure(panels),
    )
