"""Shin, Boo and Sung 2017, Fixed-point Optimization of DNNs with Adaptive Step Size Retraining."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fxsim.data import Dataset
from fxsim.reproduce.experiment import Outcome
from fxsim.reproduce.runs import Experiment, Results, seconds
from fxsim.reproduce.shin2017.plan import FULL, QUICK, Frames, Images, Plan, Text
from fxsim.reproduce.shin2017.tables import steps_plot, tables
from fxsim.reproduce.shin2017.trends import trends

__all__ = ["EXPERIMENT", "FULL", "QUICK", "Plan", "evaluate"]

SETUP = """\
Retraining with quantized weights by three schemes: *conventional*, with the L2-optimal step of the
float parent; *adaptive*, with the step refreshed at every epoch of the first half; *first*,
refreshed eight times in the first epoch, then fixed ("1 epoch update and fix", the paper's choice
for convolutional and recurrent networks). A step is never refreshed after the last update. Networks
are feed-forward ones with two hidden layers on frames of {frames.name}, with and without batch
normalisation (errors in percent, classes folded); convolutional ones on {images.name}, with 5 x 5
kernels and a max pool after each convolution (errors in percent, of {images_train} images to train
and {images_test} to test); and character language models on {text.name} (bits per character).
Biases and activations stay float, as in the paper. *Gradual* retraining goes down 6, 4, 3, 2 bits
with as many epochs each; next to it stands straight retraining for as many epochs in all, a control
that the paper lacks."""


def evaluate(plan: Plan, results: Results, sets: Mapping[str, Dataset]) -> Outcome:
    """Verdicts, tables and figures of finished runs."""

    def by_label(recipes: Sequence[Frames | Images | Text]) -> dict[str, list[dict[str, Any]]]:
        rows: dict[str, list[dict[str, Any]]] = {}
        for recipe in recipes:
            rows.setdefault(recipe.label, []).append(results[recipe.name])
        return rows

    frames, images, text = (by_label(part) for part in (plan.frames, plan.images, plan.text))
    first = plan.images[0]
    return Outcome(
        name="shin2017",
        title="Adaptive step size and gradual retraining (Shin et al. 2017)",
        setup=SETUP.format(
            **sets,
            images_train=min(first.train, len(sets["images"].train.y)),
            images_test=min(first.test, len(sets["images"].test.y)),
        ),
        trends=trends(frames, images, text),
        tables=[*tables(frames, images, text), seconds(results)],
        plots=[steps_plot(frames)],
    )


EXPERIMENT = Experiment(
    sets={"frames": "phonemes", "images": "house-numbers", "text": "pydoc"},
    quick=QUICK,
    full=FULL,
    evaluate=evaluate,
)
