"""Sung, Shin and Hwang 2015, Resiliency of Deep Neural Networks under Quantization."""

from __future__ import annotations

from collections.abc import Mapping

from fxsim.data import Dataset
from fxsim.reproduce.experiment import Outcome
from fxsim.reproduce.runs import Experiment, Results, seconds
from fxsim.reproduce.sung2015.family import family
from fxsim.reproduce.sung2015.plan import FULL, QUICK, Plan
from fxsim.reproduce.sung2015.tables import plots, tables
from fxsim.reproduce.sung2015.trends import frames_trends, images_trends

__all__ = ["EXPERIMENT", "FULL", "QUICK", "Plan", "evaluate"]

SETUP = """\
Feed-forward networks with ReLU on frames of {frames.name} ({frames_train} to train, {frames_test}
to test, {frames.classes} classes folded for the score): dropout of 5 %, SGD with Nesterov momentum,
{epochs} epochs in float, then {extra} with quantized weights. Convolutional networks on
{images.name} ({images_train} to train, {images_test} to test): convolutions of 5 x 5 with ReLU and
a 2 x 2 max pool each, a fully connected layer of 64 units, Adam (a sixth of the learning rate for a
single convolution), {more_epochs} epochs in float, then {more_extra}. Weights are quantized by eq.
(3) at the step of eq. (4) of the float parent, a step for each named group of weights, biases and
activations stay float, as in the paper. Errors are in percent. The gap is that to the float network
*trained for the same further epochs*, since retraining is training too; the gap to the float parent
stands next to it. The paper has 1.1 million frames of TIMIT and the photographs of CIFAR-10; its
figures cannot be compared as such, the trends can."""


def evaluate(plan: Plan, results: Results, sets: Mapping[str, Dataset]) -> Outcome:
    """Verdicts, tables and figures of finished runs."""
    frames = family(plan.frames, results, "Feed-forward", "units", "hidden layers")
    images = family(plan.images, results, "Convolutional", "maps", "convolutions")
    first = plan.images[0]
    setup = SETUP.format(
        **sets,
        frames_train=len(sets["frames"].train.y),
        frames_test=len(sets["frames"].test.y),
        images_train=min(len(sets["images"].train.y), first.train),
        images_test=min(len(sets["images"].test.y), first.test),
        epochs=plan.frames[0].epochs,
        extra=plan.frames[0].extra,
        more_epochs=first.epochs,
        more_extra=first.extra,
    )
    return Outcome(
        name="sung2015",
        title="Resiliency of deep networks under quantization (Sung et al. 2015)",
        setup=setup,
        trends=[*frames_trends(frames), *images_trends(images)],
        tables=[*tables(frames), *tables(images), seconds(results)],
        plots=[*plots(frames), *plots(images)],
    )


EXPERIMENT = Experiment(
    sets={"frames": "phonemes", "images": "house-numbers"},
    quick=QUICK,
    full=FULL,
    evaluate=evaluate,
)
