"""The training recipes of a specification: float training, then retraining with quantization."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fxsim.spec_layers import Fail, Model, Size

Positive = Annotated[float, Field(gt=0)]
Decay = Annotated[float, Field(gt=0, le=1)]


class OptimizerSpec(Model):
    """Optimizer of the PyTorch training and its parameters.

    ``momentum`` serves sgd and rmsprop, ``nesterov`` sgd, ``smoothing`` (of the squared gradient)
    rmsprop and adadelta.
    """

    type: Literal["sgd", "rmsprop", "adam", "adadelta"] = "sgd"
    lr: Positive = 0.02
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = True
    smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 0.0


class PlateauSpec(Model):
    """Multiply the learning rate by ``factor`` after ``patience`` epochs without a better loss.

    The loss is that of the validation split, or of the training itself where there is none.
    Training ends early when the rate would fall below ``final_lr`` times its start.
    """

    patience: Size = 4
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5


class ScheduleSpec(Model):
    """Learning rate and end of one stage of training.

    Without ``plateau`` the rate falls exponentially to ``final_lr`` times its start.
    ``early_stop`` ends a stage after that many epochs without a better loss (see `PlateauSpec` for
    which) and goes back to the best epoch.
    """

    final_lr: Decay = 0.05
    plateau: PlateauSpec | None = None
    early_stop: Size | None = None


class TrainSpec(ScheduleSpec):
    """Float training.

    Recurrent networks read the training text as ``batch`` streams, ``steps`` vectors at a time
    (truncated backpropagation through time; the state is carried on). ``clip`` limits the norm of
    the gradient. Retraining shares ``batch``, ``steps`` and ``clip``.
    """

    optimizer: OptimizerSpec = OptimizerSpec()
    batch: Size = 128
    epochs: Size = 30
    steps: Size = 50
    clip: Positive | None = None
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    seed: Annotated[int, Field(ge=0, lt=1 << 32)] = 1


class RetrainSpec(ScheduleSpec):
    """Retraining with quantized weights.

    ``step`` is how the first step sizes are chosen; see `fxsim.train.step_sizes`. ``scheme`` is
    what becomes of them: ``fixed``; ``adaptive``, refreshed ``refreshes`` times (1) in each epoch
    of the first half; ``first``, ``refreshes`` times (8) in the first epoch, then fixed (Shin et
    al. 2017). ``gradual`` gives levels to retrain with before those of the layers, each for
    ``epochs`` epochs, such as [63, 31, 15, 7]; a layer never has fewer levels than its own. No
    epochs leave the weights of the parent, with the step sizes chosen for them.
    """

    scheme: Literal["fixed", "adaptive", "first"] = "fixed"
    step: Literal["l2", "moments", "search"] = "l2"
    refreshes: Size | None = None
    gradual: tuple[Annotated[int, Field(ge=3, le=(1 << 16) - 1)], ...] = ()
    optimizer: OptimizerSpec = OptimizerSpec(lr=0.005)
    epochs: Annotated[int, Field(ge=0, le=1 << 16)] = 10


def check_recipes(train: TrainSpec, retrain: RetrainSpec | None, fail: Fail) -> None:
    """Constraints between the keys of the recipes."""
    recipes: dict[str, ScheduleSpec] = {"train": train}
    if retrain is not None:
        recipes["retrain"] = retrain
        for i, levels in enumerate(retrain.gradual):
            if levels % 2 == 0:
                fail(f"levels must be odd, not {levels}", f"retrain.gradual[{i}]")
            if i and levels >= retrain.gradual[i - 1]:
                fail(
                    f"levels must fall, not go from {retrain.gradual[i - 1]} to {levels}",
                    f"retrain.gradual[{i}]",
                )
        if retrain.scheme == "fixed" and retrain.refreshes is not None:
            fail("refreshes must be left out with scheme: fixed", "retrain.refreshes")
    for key, recipe in recipes.items():
        if recipe.plateau is not None and recipe.final_lr > recipe.plateau.factor:
            fail(
                f"final_lr must be at most factor ({recipe.plateau.factor:g}) with a plateau,"
                f" not {recipe.final_lr:g}",
                f"{key}.final_lr",
            )
