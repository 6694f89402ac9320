"""The claims of Zhu et al. 2017, each with the criterion that decides it here."""

from __future__ import annotations

from typing import Any

from fxsim.network.lstm import GATES
from fxsim.reproduce.experiment import Trend
from fxsim.reproduce.zhu2017.plan import DENSE, tau_name
from fxsim.reproduce.zhu2017.results import Results, edges, redundant, zeros

NO_LOSS = 0.01
"""Relative rise of the validation loss that counts as none: the paper's "less than 1 %"."""

FLOAT_ZEROS = 0.05
STEP_ZEROS, STEP_CORRELATION, BROKEN = 0.75, 0.95, 0.5
WANTED_ZEROS, SLACK = 0.8, 0.01


def trends(results: Results) -> list[Trend]:
    """All verdicts."""
    return [
        _float_zeros(results),
        _saturation(results),
        *_one_step(results),
        *_training(results),
        _sensitivity(results),
        _steered(results),
    ]


def _float_zeros(results: Results) -> Trend:
    one, whole = results.stages[-1]["points"][0]["sparsity"], results.mean(DENSE, zeros)
    return Trend(
        claim=f"32-bit floats alone make gate gradients zero ({100 * FLOAT_ZEROS:.0f} % or more)",
        paper="10 % in one step, 20 % over training",
        here=f"{100 * one:.1f} % in one step at the end, {100 * whole:.1f} % over training",
        holds=whole >= FLOAT_ZEROS,
    )


def _saturation(results: Results) -> Trend:
    first, last = edges(results.stages[0]), edges(results.stages[-1])
    return Trend(
        claim="Gates are saturated, and more so after training than after 0.5 % of it",
        paper="Figure 2",
        here=", ".join(f"{k} {100 * first[k]:.0f} to {100 * last[k]:.0f} %" for k in GATES),
        holds=all(last[name] > first[name] for name in GATES),
    )


def _one_step(results: Results) -> list[Trend]:
    good, broken = [], []
    for stage in results.stages:
        points: list[dict[str, Any]] = stage["points"]
        kept = [point for point in points if point["correlation"] >= STEP_CORRELATION]
        good.append(kept[-1])
        above = [point for point in points if point["tau"] >= 9.9 * kept[-1]["tau"]]
        broken.append(above[0] if kept[-1]["tau"] and above else points[-1])
    return [
        Trend(
            claim=f"In one step, {100 * STEP_ZEROS:.0f} % or more are zeroed while dW keeps a"
            f" correlation of {STEP_CORRELATION}, at every stage of training",
            paper="80 % with a correlation close to 1",
            here=", ".join(f"{100 * p['sparsity']:.0f} % at {p['correlation']:.3f}" for p in good),
            holds=all(point["sparsity"] >= STEP_ZEROS for point in good),
        ),
        Trend(
            claim=f"A threshold ten times as high breaks the correlation (below {BROKEN})",
            paper="0.26",
            here=", ".join(f"{point['correlation']:.2f}" for point in broken),
            holds=all(point["correlation"] < BROKEN for point in broken),
        ),
    ]


def _training(results: Results) -> list[Trend]:
    names = [tau_name(tau) for tau in results.plan.taus]
    rises = {name: results.rise(name) for name in names}
    free = [name for name in names if rises[name] <= NO_LOSS]
    if not free:
        best, share, saved, here, above = None, 0.0, 0.0, "no threshold without loss", None
    else:
        best = free[-1]
        share, saved = results.mean(best, zeros), results.mean(best, redundant)
        here = f"{100 * share:.1f} % with {best}: {100 * rises[best]:+.1f} %"
        above = (*names[names.index(best) + 1 :], None)[0]
    return [
        Trend(
            claim=f"A static threshold zeroes {100 * WANTED_ZEROS:.0f} % over the whole training"
            " at no visible loss (less than 1 %)",
            paper="about 80 % at t = 1e-6",
            here=here,
            holds=share >= WANTED_ZEROS - SLACK,
        ),
        Trend(
            claim="The next step up is visibly worse",
            paper="t = 1e-5",
            here="none" if above is None else f"{above}: {100 * rises[above]:+.1f} %",
            holds=above is not None and rises[above] > NO_LOSS,
        ),
        Trend(
            claim="More than half of all multiplications of training are redundant at no loss",
            paper="more than 50 %",
            here=f"{100 * saved:.0f} %",
            holds=saved > 0.5,
        ),
    ]


def _sensitivity(results: Results) -> Trend:
    pairs = results.pairs
    cheap = sum(pair.rise < NO_LOSS for pair in pairs)
    return Trend(
        claim=f"{100 * WANTED_ZEROS:.0f} % zeros cost less than 1 % for other layers, cells and"
        " sequence lengths",
        paper="always",
        here=f"{cheap} of {len(pairs)} networks; worst {100 * max(p.rise for p in pairs):+.1f} %",
        holds=cheap == len(pairs) and min(p.zeros for p in pairs) >= WANTED_ZEROS - SLACK,
    )


def _steered(results: Results) -> Trend:
    steered = results.steered
    seen = ", ".join(f"{run.name.removeprefix('steered-')} {run.better:+.3f}" for run in steered)
    return Trend(
        claim="A threshold that follows the norm of the gradients beats a static one with as many"
        " zeros, by more than the noise of seeds",
        paper="future work",
        here=f"{seen} bits; noise {results.noise:.3f}",
        holds=bool(steered) and all(run.better < -results.noise for run in steered),
    )
