"""The training recipes of a specification: float training, then retraining with quantization."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fxsim.spec.formats import Fail, Model, Size

Positive = Annotated[float, Field(gt=0)]
Decay = Annotated[float, Field(gt=0, le=1)]
Epochs = Annotated[int, Field(ge=0, le=1 << 16)]


class OptimizerSpec(Model):
    """Optimizer of the PyTorch training and its parameters.

    ``momentum`` is for sgd and rmsprop, ``nesterov`` for sgd, ``smoothing`` (of the squared
    gradient) for rmsprop and adadelta; others do not take them.
    """

    type: Literal["sgd", "rmsprop", "adam", "adadelta"] = "sgd"
    lr: Positive = 0.02
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = True
    smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 0.0


_SERVES = {
    "momentum": ("sgd", "rmsprop"),
    "nesterov": ("sgd",),
    "smoothing": ("rmsprop", "adadelta"),
}
"""Parameters that not every optimizer has."""


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


class WordsSpec(Model):
    """Gate gradients as words of ``bits``, saturating, with a power-of-two scale.

    ``fraction`` counts for gradients of the summed loss. It holds for all layers and steps
    (``scale: global``), or is where each layer starts before it follows the greatest word of its
    last training step (``layer``); with ``block`` each layer and time step has the finest that
    fits. ``rounding`` is to the nearest, or ``stochastic``.
    """

    bits: Annotated[int, Field(ge=2, le=24)] = 8
    fraction: Annotated[int, Field(ge=-30, le=60)] = 6
    scale: Literal["global", "layer", "block"] = "global"
    rounding: Literal["nearest", "stochastic"] = "nearest"


class SparsifySpec(Model):
    """Gate gradients of LSTM layers that are zeroed before they are used (Zhu et al. 2017).

    At most one of four: ``threshold`` on the gradients of the mean loss; ``tau``, the threshold
    times batch * time, so that it does not depend on how the loss is averaged; or a threshold for
    each layer in proportion to the norm of its gradients, steered to hold a ``sparsity`` or a
    ``correlation`` of the weight gradients with the dense ones. ``words`` rounds the gradients
    first. The correlation is measured every ``probe`` steps, by another, dense backward pass.
    """

    threshold: Annotated[float, Field(ge=0)] | None = None
    tau: Annotated[float, Field(ge=0)] | None = None
    sparsity: Annotated[float, Field(gt=0, lt=1)] | None = None
    correlation: Annotated[float, Field(gt=0, lt=1)] | None = None
    words: WordsSpec | None = None
    probe: Size = 16

    @property
    def steered(self) -> bool:
        """True if the threshold follows the norm of the gradients."""
        return self.sparsity is not None or self.correlation is not None


class TrainSpec(ScheduleSpec):
    """Float training.

    Recurrent networks read the training text as ``batch`` streams, ``steps`` vectors at a time
    (truncated backpropagation through time; the state is carried on). ``clip`` limits the norm of
    the gradient. Retraining shares ``batch``, ``steps``, ``clip`` and ``sparsify``.
    """

    optimizer: OptimizerSpec = OptimizerSpec()
    batch: Size = 128
    epochs: Epochs = 30
    steps: Size = 50
    clip: Positive | None = None
    sparsify: SparsifySpec | None = None
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    seed: Annotated[int, Field(ge=0, lt=1 << 32)] = 1


class RetrainSpec(ScheduleSpec):
    """Retraining with quantized weights, and with quantized activations if it is asked for.

    ``step`` is how the first step sizes are chosen; see `fxsim.training.step_sizes`. ``scheme`` is
    what becomes of them: ``fixed``; ``adaptive``, refreshed ``refreshes`` times (1) in each epoch
    of the first half; ``first``, ``refreshes`` times (8) in the first epoch, then fixed (Shin et
    al. 2017); ``every_update``, before each update, as is usual with asymmetric weights, whose
    range is found fast (Alvarez et al. 2016). ``gradual`` gives levels to retrain with before those
    of the layers, each for ``epochs`` epochs, such as [63, 31, 15, 7]; a layer never has fewer
    levels than its own. No epochs leave the weights of the parent, with the step sizes chosen for
    them. ``backward`` is which weights errors pass on their way back: the quantized ones of the
    forward pass (Sung et al. 2015), or the float ones that they stand for (Alvarez et al. 2016,
    Algorithm 1); gradients of the weights are then of inputs not rounded on the fly either.

    ``activations`` is what forward passes, those on the validation split too, do to activations;
    gradients pass it straight through. ``float``: nothing. ``calibrated``: what the integers will
    do; the input and what each layer yields are rounded to their words (``bits``, ``signed``,
    ``rounding``, ``overflow``) with the scale that quantization finds for the present weights, anew
    whenever step sizes are (each time as long as quantizing takes: not with ``every_update``).
    ``on_the_fly``: the inputs of each product are rounded to as many bits, asymmetrically, over the
    range of each vector or image when it arrives (Alvarez et al. 2016, section 3.1;
    `fxsim.training.activations.OnTheFly`). In LSTM layers either rounds x, h and, with a
    projection, the outputs of the cells; gates and cell states stay float.

    ``float_layers`` are layers that stay float, or named groups of weights such as h4-out
    (`fxsim.spec.weight_groups`). What enters them is not rounded on the fly.
    """

    scheme: Literal["fixed", "adaptive", "first", "every_update"] = "fixed"
    backward: Literal["quantized", "float"] = "quantized"
    activations: Literal["float", "calibrated", "on_the_fly"] = "float"
    step: Literal["l2", "moments", "search"] = "l2"
    refreshes: Size | None = None
    gradual: tuple[Annotated[int, Field(ge=3, le=(1 << 16) - 1)], ...] = ()
    optimizer: OptimizerSpec = OptimizerSpec(lr=0.005)
    epochs: Epochs = 10
    float_layers: tuple[str, ...] = ()


def check_recipes(
    train: TrainSpec, retrain: RetrainSpec | None, fail: Fail, *, recurrent: bool
) -> None:
    """Constraints between the keys of the recipes."""
    if train.sparsify is not None:
        _check_sparsify(train.sparsify, fail, recurrent=recurrent)
    recipes: dict[str, TrainSpec | RetrainSpec] = {"train": train}
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
        if retrain.scheme in ("fixed", "every_update") and retrain.refreshes is not None:
            fail(f"refreshes must be left out with scheme: {retrain.scheme}", "retrain.refreshes")
        if retrain.scheme == "every_update" and retrain.activations == "calibrated":
            fail(
                "scheme must be 'fixed', 'adaptive' or 'first' with activations: calibrated,"
                " which takes too long for 'every_update'",
                "retrain.scheme",
            )
    for key, recipe in recipes.items():
        _check_optimizer(recipe.optimizer, fail, f"{key}.optimizer")
        if recipe.plateau is not None and recipe.final_lr > recipe.plateau.factor:
            fail(
                f"final_lr must be at most factor ({recipe.plateau.factor:g}) with a plateau,"
                f" not {recipe.final_lr:g}",
                f"{key}.final_lr",
            )


def _check_optimizer(optimizer: OptimizerSpec, fail: Fail, where: str) -> None:
    for key, types in _SERVES.items():
        value = getattr(optimizer, key)
        if optimizer.type not in types and value != OptimizerSpec.model_fields[key].default:
            fail(f"{key} must be left out with type: {optimizer.type}", f"{where}.{key}")


def _check_sparsify(sparsify: SparsifySpec, fail: Fail, *, recurrent: bool) -> None:
    kinds = ("threshold", "tau", "sparsity", "correlation")
    given = [key for key in kinds if getattr(sparsify, key) is not None]
    if len(given) > 1:
        fail(f"sparsify must have one of {', '.join(kinds)}, not {len(given)}", "train.sparsify")
    if not given and sparsify.words is None:
        fail(f"sparsify must have one of {', '.join(kinds)}, words", "train.sparsify")
    if not recurrent:
        fail("sparsify needs an lstm layer", "train.sparsify")
