"""Claims of Alvarez et al. 2016, and what became of them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from fxsim.reproduce.alvarez2016.bias import Bias
from fxsim.reproduce.alvarez2016.run import BITS, QAT_BITS
from fxsim.reproduce.experiment import Trend


def mean(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean of the seeds, number by number."""
    return {
        key: mean([run[key] for run in runs])
        if isinstance(value, Mapping)
        else statistics.mean(run[key] for run in runs)
        for key, value in runs[0].items()
    }


def with_losses(run: Mapping[str, Any]) -> dict[str, Any]:
    """A run with its losses, so that means are of them and not of what they are made of."""
    losses = {
        key: {bits: 100 * (value / run["match"] - 1) for bits, value in run[key].items()}
        for key in ("mismatch", "quant", "quant-all")
    }
    return {**run, "losses": losses}


def loss(run: Mapping[str, Any], key: str, bits: int) -> float:
    """Bits per character above *match*, in percent of it."""
    return float(run["losses"][key][str(bits)])


def trends(runs: Mapping[str, dict[str, Any]], biases: list[list[Bias]]) -> list[Trend]:
    """All claims."""
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
