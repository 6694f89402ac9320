"""Tables of the reproduction of Zhu et al. 2017."""

from __future__ import annotations

import numpy as np

from fxsim.network.lstm import GATES
from fxsim.reproduce.experiment import Table
from fxsim.reproduce.zhu2017.plan import SENSITIVITY_ZEROS, tau_name
from fxsim.reproduce.zhu2017.results import Results, edges, loss, redundant, zeros

LATE = 10
"""Measurements of the correlation that count as the end of a run."""


def setup(results: Results) -> str:
    """How it was measured."""
    base = results.plan.base
    cpu = sum(run["cpu"] for run in results.runs.values())
    return (
        f"Character language model on `pydoc_data.topics`: an embedding of 64, {base.layers} LSTM"
        f" layers of {base.cells} cells, a classifier. {base.batch} streams of text, {base.steps}"
        f" steps at a time, {base.epochs} epochs of Adam, gradient clipped at norm 1. Exact"
        " backpropagation through time; gate gradients with |dnet| <= t are set to zero before dx,"
        " dh, dW, dU and db. t = tau / (batch * time) for a loss that is the mean of both.\n\n"
        f"Loss is in bits per character on the validation split. {len(results.runs)} runs took"
        f" {cpu:.0f} s of CPU time."
    )


def tables(results: Results) -> list[Table]:
    """All tables."""
    return [_training(results), _sensitivity(results), _one_step(results), _gates(results)]


def _training(results: Results) -> Table:
    plan = results.plan
    taus = {tau_name(tau): tau for tau in (0.0, *plan.taus)}
    rows = []
    for name in (*taus, *plan.other):
        runs, losses = results.seeds(name), results.losses(name)
        late = [value for run in runs for _, value in run["correlation"][-LATE:]]
        layers = np.mean([run["sparsity"] for run in runs], axis=(0, 2))
        rows.append(
            [
                name,
                taus[name] / plan.base.vectors if name in taus else None,
                len(runs),
                float(np.mean(losses)),
                float(np.std(losses, ddof=1)) if len(losses) > 1 else None,
                f"{100 * results.rise(name):+.1f} %",
                results.mean(name, lambda run: float(run["test"])),
                f"{100 * results.mean(name, zeros):.1f} %",
                " / ".join(f"{100 * share:.0f}" for share in layers),
                float(np.mean(late)) if late else None,
                f"{100 * results.mean(name, redundant):.0f} %",
                f"{results.mean(name, lambda run: float(run['cpu'])):.0f}",
            ]
        )
    columns = "run, t, seeds, loss, std, rise, test, zeros, by layer in %, correlation"
    return Table(
        name="training",
        title="Whole training",
        note="Zeros are means over all steps, the correlation is that of the end. `words` are gate"
        " gradients of 6 or 8 bits with one power-of-two scale (`global`), or one for each layer"
        " and training step (`layer`) or time step (`block`). `steered` thresholds follow the norm"
        " of the gradients. `literal` is the sign test dnet > t that the paper prints, at"
        " tau = 0.0008.",
        columns=[*columns.split(", "), "redundant MACs", "CPU s"],
        rows=rows,
    )


def _sensitivity(results: Results) -> Table:
    rows = []
    for pair in results.pairs:
        curve, late = pair.sparse["curve"], pair.sparse["correlation"][-LATE:]
        rows.append(
            [
                pair.recipe.layers,
                pair.recipe.cells,
                pair.recipe.steps,
                loss(pair.dense),
                loss(pair.sparse),
                f"{100 * pair.rise:+.1f} %",
                f"{100 * pair.zeros:.1f} %",
                float(np.mean([np.mean(taus) for _, _, taus in curve[len(curve) // 2 :]])),
                float(np.mean([value for _, value in late])) if late else None,
                f"{100 * redundant(pair.sparse):.0f} %",
            ]
        )
    columns = "layers, cells, steps, dense loss, sparse loss, rise, zeros, tau, correlation"
    return Table(
        name="sensitivity",
        title="Sensitivity to layers, cells and sequence length",
        note=f"Epochs: {results.plan.sensitivity.epochs}. The threshold is steered to"
        f" {100 * SENSITIVITY_ZEROS:.0f} % zeros in each layer; tau is its mean over the second"
        " half of the training.",
        columns=[*columns.split(", "), "redundant MACs"],
        rows=rows,
    )


def _one_step(results: Results) -> Table:
    stages = results.stages
    rows = []
    for points in zip(*(stage["points"] for stage in stages), strict=True):
        tau = points[0]["tau"]
        seen = [value for p in points for value in (p["sparsity"], p["correlation"])]
        rows.append([tau, tau / results.plan.base.vectors, *seen])
    shares = [f"{100 * stage['share']:g} %" for stage in stages]
    return Table(
        name="one-step",
        title="One step under a row of thresholds",
        note="Zeros, and correlation of dW with the dense dW0, of one batch of the dense network"
        " after a share of its training.",
        columns=[
            "tau",
            "t",
            *(f"{s}: {what}" for s in shares for what in ("zeros", "correlation")),
        ],
        rows=rows,
    )


def _gates(results: Results) -> Table:
    stages = results.stages
    return Table(
        name="gates",
        title="Saturated gates",
        note="Share of gate activations in the outermost of 25 bins, both ends together.",
        columns=["gate", *(f"after {100 * stage['share']:g} %" for stage in stages)],
        rows=[[name, *(edges(stage)[name] for stage in stages)] for name in GATES],
    )
