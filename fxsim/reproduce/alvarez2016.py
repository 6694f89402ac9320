"""Alvarez, Prabhavalkar and Bakhtin 2016, On the efficient representation and execution of deep
acoustic models: 8-bit weights with a zero point, and training that knows of them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fxsim import data
from fxsim.checkpoint import Checkpoint
from fxsim.data import Dataset
from fxsim.evaluate import bits_per_character, calibration_samples, float_bits_per_character
from fxsim.network import FloatArray, QuantizedNetwork
from fxsim.quantize import quantize
from fxsim.report.lines import Panel, Series, line_figure
from fxsim.reproduce.experiment import Outcome, Plot, Table, Trend
from fxsim.reproduce.language import language_model
from fxsim.reproduce.runs import OnRun, collect
from fxsim.spec import NetworkSpec
from fxsim.train import train

BITS = (8, 6, 5, 4)
QAT_BITS = (8, 4)

SETUP = """\
*Bias.* Random matrices with ranges that do not hold 0 exactly, quantized by eq. (2) and (3) of the
paper (both rounds alike), by V' = round(Q (V - V_min)) recovered with round(Q V_min), and by
truncation recovered with the float V_min. Errors of values in steps, of dot products with
non-negative activations relative to the result's root mean square.

*Networks.* Character language models on {text}: *match*, trained and run in float; *mismatch*,
trained in float, run in integers; *quant*, trained on with quantized weights in all layers but the
classifier; *quant-all*, in all layers. All four have the same number of epochs. Integers are those
of the bit-exact simulator: asymmetric weights of a range for each gate matrix, 8-bit activations,
tables for the nonlinearities. Unlike Algorithm 1, the backward pass uses the quantized weights too
(straight through), the range of a matrix is refreshed eight times an epoch in the first half of
the further training, and activations have calibrated ranges instead of ranges found on the fly.
The paper's figures are word error rates of speech recognisers with 3 to 10 million parameters."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One network, with or without a recurrent projection."""

    cells: int
    projection: int | None = None
    seed: int = 1
    epochs: int = 2
    extra: int = 1

    @property
    def name(self) -> str:
        """In tables and in the store."""
        return f"{self.cells}" + (f" P{self.projection}" if self.projection else "")


QUICK = (Recipe(cells=64), Recipe(cells=128), Recipe(cells=128, projection=48))
FULL = tuple(
    Recipe(cells=cells, projection=projection, epochs=6, extra=3)
    for cells, projection in ((64, None), (128, None), (256, None), (128, 48), (256, 96))
)


def reproduce(
    plan: tuple[Recipe, ...], folder: Path, source: str = "pydoc", on_run: OnRun | None = None
) -> Outcome:
    """Do the runs that are not yet in ``folder``, and evaluate all.

    Raises
    ------
    FxsimError
        If the data or stored runs cannot be read, or the loss of a run stops being finite.
    """
    dataset = data.load(source)
    recipes = {f"{recipe.name.replace(' ', '-')}-seed{recipe.seed}": recipe for recipe in plan}
    results = collect(recipes, folder, source, lambda recipe: run(recipe, dataset), on_run)
    return evaluate({recipes[name].name: found for name, found in results.items()}, source)


def run(recipe: Recipe, dataset: Dataset) -> dict[str, Any]:
    """Bits per character of one network, by training and word length."""
    start, cpu = time.perf_counter(), time.process_time()
    optimizer = {"type": "adam", "lr": 0.008}
    common = {"batch": 16, "steps": 48, "clip": 1.0, "seed": recipe.seed}
    base = common | {"optimizer": optimizer, "epochs": recipe.epochs, "final_lr": 0.25}
    more = {"optimizer": optimizer | {"lr": 0.002}, "epochs": recipe.extra, "final_lr": 0.2}

    def spec(bits: int, recipe_of: dict[str, Any], **retrain: Any) -> NetworkSpec:
        return language_model(
            dataset,
            recipe.cells,
            1 << bits,
            recipe_of,
            more | {"scheme": "adaptive", "refreshes": 8} | retrain if retrain else None,
            scheme="asymmetric",
            projection=recipe.projection,
        )

    parent = train(spec(8, base), dataset).parent
    match = train(spec(8, common | more), dataset, start=parent).parent
    found: dict[str, Any] = {
        "parameters": int(sum(p.weight.size + p.bias.size for p in match.values())),
        "match": float_bits_per_character(spec(8, base), match, dataset.test),
        "mismatch": {},
        "quant": {},
        "quant-all": {},
    }
    calibration = calibration_samples(dataset)

    def fixed(wanted: NetworkSpec, checkpoint: Checkpoint) -> QuantizedNetwork:
        return quantize(wanted, checkpoint, calibration)

    for bits in BITS:
        network = fixed(spec(bits, base), Checkpoint(parent=match))
        found["mismatch"][str(bits)] = bits_per_character(network, dataset.test)
    for bits in QAT_BITS:
        for key, layers in (("quant", ["classes"]), ("quant-all", [])):
            wanted = spec(bits, common | {"epochs": 0}, float_layers=layers)
            checkpoint = train(wanted, dataset, start=parent)
            found[key][str(bits)] = bits_per_character(fixed(wanted, checkpoint), dataset.test)
    found["seconds"] = time.perf_counter() - start
    found["cpu"] = time.process_time() - cpu
    return found


def evaluate(runs: Mapping[str, dict[str, Any]], source: str) -> Outcome:
    """Verdicts, tables and figures of finished runs."""
    biases = [bias(steps, terms) for steps, terms in ((255, 128), (255, 1024), (63, 1024))]
    return Outcome(
        name="alvarez2016",
        title="Efficient representation with 8 bits (Alvarez et al. 2016)",
        setup=SETUP.format(text=source),
        trends=_trends(runs, biases),
        tables=[_bias_table(biases), *_tables(runs)],
        plots=[_plot(runs)],
    )


@dataclass(frozen=True, kw_only=True)
class Bias:
    """Errors of one way to round: of a value, mean and standard deviation of matrices in steps;
    of dot products, mean and root mean square relative to the results.
    """

    steps: int
    terms: int
    scheme: str
    value: float
    dot: float
    rms: float


SCHEMES = ("consistent", "inconsistent", "truncated")


def recover(values: FloatArray, steps: int, scheme: str) -> FloatArray:
    """A matrix after quantization to 0 .. ``steps`` and recovery, by one of `SCHEMES`."""
    low, high = values.min(), values.max()
    factor = steps / (high - low)

    def whole(x: FloatArray) -> FloatArray:
        return np.asarray(np.floor(x + 0.5))

    recovered: FloatArray
    if scheme == "consistent":
        stored = whole(factor * values) - whole(factor * low)
        recovered = (stored + whole(factor * low)) / factor
    elif scheme == "inconsistent":
        recovered = (whole(factor * (values - low)) + whole(factor * low)) / factor
    else:
        recovered = np.floor(factor * (values - low)) / factor + low
    return recovered


def bias(steps: int, terms: int, matrices: int = 60) -> list[Bias]:
    """Errors of the three ways to round, over random matrices."""
    rng = np.random.default_rng(steps * terms)
    errors: dict[str, list[list[float]]] = {scheme: [] for scheme in SCHEMES}
    for _ in range(matrices):
        values = rng.normal(0, 1, (64, terms)) * rng.uniform(0.5, 2) + rng.normal(0, 0.1)
        x = np.abs(rng.normal(0, 1, terms))
        exact = values @ x
        size = float(np.sqrt(np.square(exact).mean()))
        step = (values.max() - values.min()) / steps
        for scheme in SCHEMES:
            found = recover(values, steps, scheme)
            dots = (found @ x - exact) / size
            errors[scheme].append(
                [
                    abs(float((found - values).mean())) / step,
                    abs(float(dots.mean())),
                    float(np.sqrt(np.square(dots).mean())),
                ]
            )
    means = {scheme: np.mean(rows, axis=0).tolist() for scheme, rows in errors.items()}
    return [
        Bias(steps=steps, terms=terms, scheme=scheme, value=value, dot=dot, rms=rms)
        for scheme, (value, dot, rms) in means.items()
    ]


def loss(run: Mapping[str, Any], key: str, bits: int) -> float:
    """Bits per character above *match*, in percent of it."""
    return float(100 * (run[key][str(bits)] / run["match"] - 1))


def _trends(runs: Mapping[str, dict[str, Any]], biases: list[list[Bias]]) -> list[Trend]:
    ratio = min(rows[1].dot / rows[0].dot for rows in biases)
    share = min(rows[1].dot / rows[1].rms for rows in biases)
    few, many = min(QAT_BITS), max(BITS)
    names = list(runs)
    plain = [name for name in names if "P" not in name]
    small, large = runs[plain[0]], runs[plain[-1]]

    def row(key: str, bits: int) -> str:
        return " / ".join(f"{loss(run, key, bits):+.2f} %" for run in runs.values())

    return [
        Trend(
            claim="Consistent rounding removes the bias",
            paper="section 3.1, no figures",
            here=f"bias of dot products at least {ratio:.0f} times smaller",
            holds=ratio > 10,
        ),
        Trend(
            claim="Bias, not the loss of precision, makes most of the error without it",
            paper="section 3",
            here=f"at least {100 * share:.0f} % of it",
            holds=share > 0.5,
        ),
        Trend(
            claim=f"Mismatch costs, at {many} bits",
            paper="+3.0 % clean, +5.2 % noisy on average",
            here=row("mismatch", many),
            holds=all(loss(run, "mismatch", many) > 0 for run in runs.values()),
        ),
        Trend(
            claim=f"Training that knows of quantization recovers most of it, at {many} bits",
            paper="+0.9 % clean, +1.2 % noisy",
            here=row("quant", many),
            holds=all(
                loss(run, "quant", many) < loss(run, "mismatch", many) / 2 for run in runs.values()
            ),
        ),
        Trend(
            claim=f"... and at {few} bits",
            paper="not tested",
            here=f"{row('quant', few)} against {row('mismatch', few)}",
            holds=all(
                loss(run, "quant", few) < loss(run, "mismatch", few) / 2 for run in runs.values()
            ),
        ),
        Trend(
            claim="quant beats quant-all",
            paper="+0.9 against +1.6 %",
            here=f"{row('quant', few)} against {row('quant-all', few)} at {few} bits",
            holds=all(
                loss(run, "quant", few) < loss(run, "quant-all", few) for run in runs.values()
            ),
        ),
        Trend(
            claim="Smaller networks lose more",
            paper="+5.1 % (2.9 M) to +1.8 % (9.7 M)",
            here=" / ".join(
                f"{b} bits: {loss(small, 'mismatch', b):+.2f} to"
                f" {loss(large, 'mismatch', b):+.2f} %"
                for b in BITS
            ),
            holds=all(loss(small, "mismatch", b) > loss(large, "mismatch", b) for b in BITS),
        ),
        *_projection(runs, plain),
    ]


def _projection(runs: Mapping[str, dict[str, Any]], plain: list[str]) -> list[Trend]:
    found = []
    for name in (name for name in runs if "P" in name):
        run, twin = runs[name], runs[name.split(" ")[0]]
        smaller = [p for p in plain if runs[p]["parameters"] <= run["parameters"]] or plain[:1]
        beside = runs[smaller[-1]]
        found += [
            Trend(
                claim="A projection serves weights well",
                paper="P = 100, 2.7 M: 11.6 %; 4 x 300, 2.9 M: 13.6 %",
                here=(
                    f"{run['parameters']:,} parameters {run['match']:.3f}, {twin['parameters']:,}"
                    f" without {twin['match']:.3f}, {beside['parameters']:,} {beside['match']:.3f}"
                ),
                holds=run["match"] < beside["match"],
            ),
            Trend(
                claim="Networks with a projection lose less",
                paper="+4.3 to +1.8 % against +5.1 to +1.8 %",
                here=" / ".join(
                    f"{b} bits: {loss(run, 'mismatch', b):+.2f} against"
                    f" {loss(twin, 'mismatch', b):+.2f} %"
                    for b in BITS
                ),
                holds=all(loss(run, "mismatch", b) < loss(twin, "mismatch", b) for b in BITS),
            ),
        ]
    return found


def _bias_table(biases: list[list[Bias]]) -> Table:
    return Table(
        name="bias",
        title="Bias error",
        columns=["steps", "terms", "rounding", "value, steps", "dot product", "its rms error"],
        rows=[[b.steps, b.terms, b.scheme, b.value, b.dot, b.rms] for rows in biases for b in rows],
    )


def _tables(runs: Mapping[str, dict[str, Any]]) -> list[Table]:
    rows = []
    for name, run in runs.items():
        for bits in BITS:
            cells = [f"{loss(run, 'mismatch', bits):+.2f} %"]
            for key in ("quant", "quant-all"):
                cells.append(f"{loss(run, key, bits):+.2f} %" if str(bits) in run[key] else "")
            rows.append([name, run["parameters"], bits, run["match"], *cells])
    return [
        Table(
            name="networks",
            title="Character language models",
            columns=["cells", "parameters", "bits", "match", "mismatch", "quant", "quant-all"],
            rows=rows,
            note="Bits per character on the test text in float, and what integers add to them.",
        ),
        Table(
            name="seconds",
            title="Time",
            columns=["cells", "seconds", "processor seconds"],
            rows=[[name, run["seconds"], run["cpu"]] for name, run in runs.items()],
        ),
    ]


def _plot(runs: Mapping[str, dict[str, Any]]) -> Plot:
    series = [
        Series(label=name, x=list(BITS), y=[loss(run, "mismatch", bits) for bits in BITS])
        for name, run in runs.items()
    ]
    return Plot(
        name="mismatch",
        title="What integers add to a network trained in float",
        svg=line_figure([Panel(title="", x="bits of weights", y="% of match", series=series)]),
    )
