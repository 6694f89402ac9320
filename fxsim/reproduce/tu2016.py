"""Tu, Berisha, Cao and Seo 2016, Reducing the Model Order of Deep Neural Networks Using
Information Theory: pruning by Fisher information, and word lengths by it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from fxsim import data
from fxsim.checkpoint import Checkpoint, RetrainedParameters
from fxsim.data import Dataset
from fxsim.evaluate import calibration_samples
from fxsim.floating import forward
from fxsim.nonuniform import Compressed, Quantizer, compress
from fxsim.prune import Criterion, prune
from fxsim.quantize import quantize
from fxsim.report.lines import Panel, Series, line_figure
from fxsim.reproduce.classifier import Parameters, feed_forward, predictions
from fxsim.reproduce.experiment import Outcome, Plot, Table, Trend, spread
from fxsim.reproduce.runs import OnRun, collect
from fxsim.simulate import simulate
from fxsim.spec import NetworkSpec
from fxsim.train import train_with_fisher

SHARES = (0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.9641, 0.975)
METHODS = {
    "mag": (Criterion.MAGNITUDE, 0.0),
    "fisher": (Criterion.FISHER, 1.0),
    "mag_fisher r=0.02": (Criterion.COMBINED, 0.02),
    "mag_fisher r=0.05": (Criterion.COMBINED, 0.05),
    "mag_fisher r=0.1": (Criterion.COMBINED, 0.1),
}
PRUNED = 0.9133
"""Removed by magnitude before quantization, as in section III-B."""

CLUSTERS = (3, 4, 5, 6, 8, 10)
UNIFORM = (1, 2, 3, 4, 6)

SETUP = """\
Fully connected networks with ReLU, {hidden} hidden units, on {data} ({train} to train, {test} to
test); Adam at 1e-3, batches of 64, dropout, {epochs} epochs, {seeds} seeds. The Fisher information
of a parameter is Adam's second moment. All parameters, biases included, are pruned and quantized,
without retraining. The paper has a convolutional network on MNIST and prunes its fully connected
part. Word lengths come from k-means on the *logarithm* of the Fisher information: on Fisher
information itself nearly all parameters fall into the group of 1 bit (see the table). The quantizer
of the main figure divides the range of each group of each layer (min-max); with L2-optimal steps
even 1 bit is nearly free after pruning by magnitude, for what is left has two humps, and the
comparison of the paper vanishes. Line 7 of the paper's Algorithm 1 lacks a square root."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One network."""

    hidden: tuple[int, ...]
    seed: int = 1
    epochs: int = 6
    dropout: float = 0.3


QUICK = tuple(Recipe(hidden=(640, 128), seed=seed) for seed in (1, 2, 3))
FULL = tuple(Recipe(hidden=(640, 128), seed=seed, epochs=50) for seed in range(1, 6))
"""585,098 parameters; the paper's fully connected part has 591,242."""


def reproduce(
    plan: tuple[Recipe, ...], folder: Path, source: str = "handwriting", on_run: OnRun | None = None
) -> Outcome:
    """Do the runs that are not yet in ``folder``, and evaluate all.

    Raises
    ------
    FxsimError
        If the data or stored runs cannot be read, or the loss of a run stops being finite.
    """
    dataset = data.load(source)
    dataset = dataset.shaped((int(np.prod(dataset.train.shape)),))
    recipes = {f"seed{recipe.seed}": recipe for recipe in plan}
    results = collect(recipes, folder, source, lambda recipe: run(recipe, dataset), on_run)
    setup = SETUP.format(
        hidden=" and ".join(map(str, plan[0].hidden)),
        data=source,
        train=len(dataset.train.y),
        test=len(dataset.test.y),
        epochs=plan[0].epochs,
        seeds=len(plan),
    )
    return evaluate(list(results.values()), setup)


def run(recipe: Recipe, dataset: Dataset) -> dict[str, Any]:
    """Accuracy in percent and loss of one network, pruned and quantized in many ways."""
    start, cpu = time.perf_counter(), time.process_time()
    optimizer = {"type": "adam", "lr": 0.001}
    common = {"batch": 64, "dropout": recipe.dropout, "seed": recipe.seed}
    base = common | {"optimizer": optimizer, "epochs": recipe.epochs, "final_lr": 1.0}
    spec = feed_forward(dataset, recipe.hidden, 255, base, signed=False)
    checkpoint, fisher = train_with_fisher(spec, dataset)
    parent = checkpoint.parent

    def score(parameters: Parameters) -> list[float]:
        logits = forward(spec, parameters, dataset.test.x)
        shifted = logits - logits.max(axis=1, keepdims=True)
        chosen = shifted[np.arange(len(logits)), dataset.test.y]
        loss = float((np.log(np.exp(shifted).sum(axis=1)) - chosen).mean())
        hits = 100 * dataset.accuracy(logits.argmax(axis=1), dataset.test.y)
        return [hits, loss]

    pruned = prune(parent, PRUNED, Criterion.MAGNITUDE)

    def compressed(**options: Any) -> list[float]:
        small = compress(pruned, **options)
        return [small.average, *score(small.parameters), small.paper_ratio, small.ratio]

    found: dict[str, Any] = {
        "float": score(parent),
        "pruning": {
            name: [
                score(prune(parent, share, criterion, fisher=fisher, fisher_share=r))
                for share in SHARES
            ]
            for name, (criterion, r) in METHODS.items()
        },
        "pruned": score(pruned),
        "words": {
            "uniform": [compressed(clusters=0, bits=bits) for bits in UNIFORM],
            "fisher": [compressed(clusters=k, importance=fisher) for k in CLUSTERS],
            "mag": [compressed(clusters=k, logarithm=False) for k in CLUSTERS],
            "fisher, raw": [
                compressed(clusters=k, importance=fisher, logarithm=False) for k in CLUSTERS
            ],
            "uniform, l2": [
                compressed(clusters=0, bits=bits, quantizer=Quantizer.L2) for bits in UNIFORM
            ],
        },
    }
    small = compress(pruned, 5, importance=fisher)
    found["integers"] = _in_integers(spec, checkpoint, small, dataset)
    found["seconds"] = time.perf_counter() - start
    found["cpu"] = time.process_time() - cpu
    return found


def _in_integers(
    spec: NetworkSpec, checkpoint: Checkpoint, small: Compressed, dataset: Dataset
) -> dict[str, float]:
    """The compressed network in the bit-exact simulator: words of all lengths on a 16-bit grid."""
    levels = (1 << 16) - 1
    retrained = {
        name: RetrainedParameters(
            weight=p.weight,
            bias=p.bias,
            scale=np.array([np.abs(p.weight).max() / (levels // 2)]),
            levels=levels,
        )
        for name, p in small.parameters.items()
    }
    value = spec.model_dump(mode="json", exclude_unset=True)
    hidden = [layer["units"] for layer in value["layers"][:-1]]
    wide = feed_forward(dataset, hidden, levels, value["train"], signed=False)
    network = quantize(
        wide,
        Checkpoint(parent=checkpoint.parent, retrained=retrained),
        calibration_samples(dataset),
    )
    fixed = simulate(network, dataset.test.x).argmax(axis=1)
    fake = predictions(spec, small.parameters, dataset.test)
    y = dataset.test.y
    return {
        "fake": 100 * dataset.accuracy(fake, y),
        "fixed": 100 * dataset.accuracy(fixed, y),
        "differing": int((fixed != fake).sum()),
    }


def evaluate(runs: list[dict[str, Any]], setup: str) -> Outcome:
    """Verdicts, tables and figures of finished runs."""
    return Outcome(
        name="tu2016",
        title="Model order by Fisher information (Tu et al. 2016)",
        setup=setup,
        trends=_trends(runs),
        tables=_tables(runs),
        plots=_plots(runs),
    )


def _pruning(runs: list[dict[str, Any]], method: str, column: int) -> list[float]:
    """Accuracy (0) or loss (1) over `SHARES`, mean of the seeds."""
    values = [[point[column] for point in run["pruning"][method]] for run in runs]
    return [float(v) for v in np.mean(values, axis=0)]


def _words(runs: list[dict[str, Any]], method: str) -> list[list[float]]:
    """Average bits, accuracy, loss and two ratios, by clusters or bits; mean of the seeds."""
    means: list[list[float]] = np.mean([run["words"][method] for run in runs], axis=0).tolist()
    return means


def bits_needed(points: list[list[float]], accuracy: float, tolerance: float = 0.1) -> float:
    """Least average bits within ``tolerance`` points of an accuracy; infinity if none is."""
    return min((p[0] for p in points if p[1] >= accuracy - tolerance), default=float("inf"))


def removable(run: Mapping[str, Any], method: str, points: float = 1.0) -> float:
    """Percent that can be removed at a loss of ``points`` of accuracy; linear in between.

    0 if the least share of `SHARES` is too much already.
    """
    goal = float(run["float"][0]) - points
    hits = [float(hit) for hit, _ in run["pruning"][method]]
    for i, (before, after) in enumerate(pairwise(hits)):
        if before >= goal > after:
            part = (before - goal) / (before - after)
            return 100 * (SHARES[i] + part * (SHARES[i + 1] - SHARES[i]))
    return 100 * SHARES[-1] if hits[-1] >= goal else 0.0


def _mean(values: list[float]) -> float:
    return float(np.mean(values))


def _trends(runs: list[dict[str, Any]]) -> list[Trend]:
    magnitude, fisher = (_pruning(runs, name, 0) for name in ("mag", "fisher"))
    removed = {name: [removable(run, name) for run in runs] for name in METHODS}
    losses = {name: _pruning(runs, name, 1) for name in ("mag", "mag_fisher r=0.05")}
    high = [i for i, share in enumerate(SHARES) if share >= 0.93]
    pruned = float(np.mean([run["pruned"][0] for run in runs]))
    needed = {
        name: bits_needed(_words(runs, name), pruned) for name in ("fisher", "uniform", "mag")
    }

    def over(values: list[float]) -> str:
        return " / ".join(f"{values[i]:.2f}" for i in high)

    return [
        Trend(
            claim="Fisher information alone is the worst guide",
            paper="Fig. 2",
            here=f"{fisher[0]:.2f} against {magnitude[0]:.2f} % at {100 * SHARES[0]:g} % pruned",
            holds=all(a < b for a, b in zip(fisher, magnitude, strict=True)),
        ),
        Trend(
            claim="mag_fisher (r = 0.05) prunes more than magnitude at 1 point of loss",
            paper="94.72 against 92.18 %",
            here=f"{spread(removed['mag_fisher r=0.05'])} against {spread(removed['mag'])} %",
            holds=_mean(removed["mag_fisher r=0.05"]) > _mean(removed["mag"]),
        ),
        Trend(
            claim="... with r = 0.02",
            paper="r below 0.1 gives good results",
            here=f"{spread(removed['mag_fisher r=0.02'])} against {spread(removed['mag'])} %",
            holds=_mean(removed["mag_fisher r=0.02"]) > _mean(removed["mag"]),
        ),
        Trend(
            claim="mag_fisher (r = 0.05) has the lower loss",
            paper="Fig. 3",
            here=f"{over(losses['mag_fisher r=0.05'])} against {over(losses['mag'])}",
            holds=all(losses["mag_fisher r=0.05"][i] < losses["mag"][i] for i in high),
        ),
        Trend(
            claim="Word lengths by Fisher information need fewer bits than uniform ones",
            paper="2.4 against 3 bits",
            here=f"{needed['fisher']:.2f} against {needed['uniform']:.2f} bits, within 0.1 points",
            holds=needed["fisher"] < needed["uniform"],
        ),
        Trend(
            claim="Word lengths by magnitude never reach the accuracy",
            paper="Fig. 5",
            here=f"{needed['mag']:.2f} bits",
            holds=needed["mag"] == float("inf"),
        ),
        Trend(
            claim="The compression is more than tenfold with indices counted",
            paper="251 without them",
            here=" to ".join(
                f"{value:.1f}" for value in _ratios(_words(runs, "fisher"), needed["fisher"])
            )
            + " (all counted, as in the paper)",
            holds=_ratios(_words(runs, "fisher"), needed["fisher"])[0] > 10,
        ),
    ]


def _ratios(points: list[list[float]], bits: float) -> tuple[float, float]:
    """With everything counted and as the paper counts, where ``bits`` are reached."""
    point = next((p for p in points if p[0] == bits), points[-1])
    return point[4], point[3]


def _tables(runs: list[dict[str, Any]]) -> list[Table]:
    def cell(method: str, i: int) -> str:
        hits = spread([run["pruning"][method][i][0] for run in runs])
        return f"{hits} / {np.mean([run['pruning'][method][i][1] for run in runs]):.3f}"

    words = []
    for method in runs[0]["words"]:
        for i in range(len(runs[0]["words"][method])):
            rows = [run["words"][method][i] for run in runs]
            bits, _, loss, paper, ratio = np.mean(rows, axis=0).tolist()
            hits = spread([row[1] for row in rows])
            label = UNIFORM[i] if method.startswith("uniform") else CLUSTERS[i]
            words.append([method, label, f"{bits:.2f}", hits, loss, paper, ratio])
    return [
        Table(
            name="float",
            title="Before and after pruning by magnitude",
            columns=["parameters", "accuracy, %", "loss"],
            rows=[
                ["all", spread([r["float"][0] for r in runs]), runs[0]["float"][1]],
                [
                    f"{100 - 100 * PRUNED:.2f} % left",
                    spread([r["pruned"][0] for r in runs]),
                    runs[0]["pruned"][1],
                ],
            ],
            note="The paper: 99.29 and 98.67 %.",
        ),
        Table(
            name="pruning",
            title="Pruning: accuracy in percent / loss",
            columns=["removed", *METHODS],
            rows=[
                [f"{100 * share:g} %", *[cell(method, i) for method in METHODS]]
                for i, share in enumerate(SHARES)
            ],
        ),
        Table(
            name="words",
            title=f"Word lengths of what is left of {100 * PRUNED:g} % pruning",
            columns=["by", "k or bits", "average bits", "accuracy, %", "loss", "ratio", "all in"],
            rows=words,
            note=(
                "The compression ratio as the paper counts it, and with all that a decoder needs:"
                " positions, the group of each parameter, ranges."
            ),
        ),
        Table(
            name="integers",
            title="The network with word lengths by Fisher information (k = 5), in integers",
            columns=["seed", "float activations, %", "fixed point, %", "differing predictions"],
            rows=[
                [i + 1, *[run["integers"][k] for k in ("fake", "fixed", "differing")]]
                for i, run in enumerate(runs)
            ],
            note="Bit-exact simulator, 8-bit activations; they are the reason of the differences.",
        ),
        Table(
            name="seconds",
            title="Time",
            columns=["seed", "seconds", "processor seconds"],
            rows=[[i + 1, run["seconds"], run["cpu"]] for i, run in enumerate(runs)],
        ),
    ]


def _plots(runs: list[dict[str, Any]]) -> list[Plot]:
    x = [100 * share for share in SHARES]
    pruning = [
        Panel(
            title=title,
            x="removed, %",
            y=title,
            series=[
                Series(label=method, x=x, y=_pruning(runs, method, column))
                for method in METHODS
                if method != "fisher"
            ],
        )
        for column, title in enumerate(("accuracy, %", "loss"))
    ]
    words = [
        Panel(
            title=title,
            x="average bits",
            y=title,
            series=[
                Series(label=method, x=[p[0] for p in points], y=[p[column] for p in points])
                for method in ("uniform", "fisher", "mag")
                for points in [sorted(_words(runs, method))]
            ],
        )
        for column, title in ((1, "accuracy, %"), (2, "loss"))
    ]
    return [
        Plot(name="pruning", title="Pruning", svg=line_figure(pruning, 4.4)),
        Plot(name="words", title="Word lengths after pruning", svg=line_figure(words, 4.4)),
    ]
