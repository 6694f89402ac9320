"""Tables and figures of Alvarez et al. 2016."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fxsim.report.lines import Panel, Series, line_figure
from fxsim.reproduce.alvarez2016.bias import Bias
from fxsim.reproduce.alvarez2016.run import BITS
from fxsim.reproduce.alvarez2016.trends import loss
from fxsim.reproduce.classifier import integers_table
from fxsim.reproduce.experiment import Plot, Table, spread

KEYS = ("mismatch", "quant", "quant-all")


def bias_table(biases: list[list[Bias]]) -> Table:
    """Errors of the three ways to round."""
    return Table(
        name="bias",
        title="Bias error",
        columns=["steps", "terms", "rounding", "value, steps", "dot product", "its rms error"],
        rows=[[b.steps, b.terms, b.scheme, b.value, b.dot, b.rms] for rows in biases for b in rows],
    )


def tables(networks: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Table]:
    """Cost of integers; seeds of each network by its label."""

    def cell(runs: Sequence[Mapping[str, Any]], key: str, bits: int) -> str:
        if str(bits) not in runs[0][key]:
            return ""
        return spread([loss(run, key, bits) for run in runs]) + " %"

    return [
        Table(
            name="networks",
            title="Character language models",
            columns=["cells", "parameters", "seeds", "bits", "match", *KEYS],
            rows=[
                [label, runs[0]["parameters"], len(runs), bits]
                + [spread([run["match"] for run in runs], digits=3)]
                + [cell(runs, key, bits) for key in KEYS]
                for label, runs in networks.items()
                for bits in BITS
            ],
            note="Bits per character on the test text in float, and what integers add to them.",
        ),
        integers_table(
            "integers",
            "Language models",
            ["cells", "seed", "training and weights"],
            [
                ([label, seed + 1, key], found)
                for label, runs in networks.items()
                for seed, run in enumerate(runs)
                for key, found in run["integers"].items()
            ],
            "Bits per character",
        ),
    ]


def plot(runs: Mapping[str, dict[str, Any]]) -> Plot:
    """Cost of integers over bits."""
    series = [
        Series(label=name, x=list(BITS), y=[loss(run, "mismatch", bits) for bits in BITS])
        for name, run in runs.items()
    ]
    return Plot(
        name="mismatch",
        title="What integers add to a network trained in float",
        svg=line_figure([Panel(title="", x="bits of weights", y="% of match", series=series)]),
    )
