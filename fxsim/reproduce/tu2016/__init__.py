"""Tu, Berisha, Cao and Seo 2016, Reducing the Model Order of Deep Neural Networks Using
Information Theory: pruning by Fisher information, and word lengths by it.
"""

from __future__ import annotations

from collections.abc import Mapping

from fxsim.data import Dataset
from fxsim.reproduce.experiment import Outcome, Plot, Table, Trend
from fxsim.reproduce.runs import Experiment, Results, seconds
from fxsim.reproduce.tu2016.plan import FULL, QUICK, Plan
from fxsim.reproduce.tu2016.tables import plots, tables
from fxsim.reproduce.tu2016.trends import trends

__all__ = ["EXPERIMENT", "FULL", "QUICK", "Plan", "evaluate"]

SETUP = """\
Networks with ReLU on {data} ({train} to train, {test} to test): {networks}. Adam at 1e-3, batches
of 64, dropout. The Fisher information of a parameter is Adam's second moment. All parameters of the
fully connected layers, biases included, are pruned and quantized, without retraining, as in the
paper, whose network has two convolutions on MNIST. Word lengths come from k-means on the
*logarithm* of the Fisher information: on Fisher information itself nearly all parameters fall into
the group of 1 bit (see the table). The quantizer of the main figure divides the range of each group
of each layer (min-max); with L2-optimal steps even 1 bit is nearly free after pruning by magnitude,
for what is left has two humps, and the comparison of the paper vanishes. Line 7 of the paper's
Algorithm 1 lacks a square root."""


def evaluate(plan: Plan, results: Results, sets: Mapping[str, Dataset]) -> Outcome:
    """Verdicts, tables and figures of finished runs."""
    kinds = list(dict.fromkeys(recipe.title for recipe in plan.recipes))
    (dataset,) = sets.values()
    claims: list[Trend] = []
    pages: list[Table] = []
    figures: list[Plot] = []
    networks = []
    for title in kinds:
        recipes = [recipe for recipe in plan.recipes if recipe.title == title]
        runs = [results[recipe.name] for recipe in recipes]
        units = "-".join(map(str, (*recipes[0].maps, *recipes[0].hidden)))
        networks.append(
            f"{title} ({units}, {runs[0]['parameters']} parameters to prune,"
            f" {recipes[0].epochs} epochs of {min(recipes[0].train, len(dataset.train.y))} samples,"
            f" {len(runs)} seeds)"
        )
        claims += trends(title, runs)
        pages += tables(title, runs)
        figures += plots(title, runs)
    return Outcome(
        name="tu2016",
        title="Model order by Fisher information (Tu et al. 2016)",
        setup=SETUP.format(
            data=dataset.name,
            train=len(dataset.train.y),
            test=len(dataset.test.y),
            networks=" and ".join(networks),
        ),
        trends=claims,
        tables=[*pages, seconds(results)],
        plots=figures,
    )


EXPERIMENT = Experiment(sets={"images": "handwriting"}, quick=QUICK, full=FULL, evaluate=evaluate)
