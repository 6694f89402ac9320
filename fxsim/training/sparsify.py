"""Rules on gate gradients: thresholds, static or steered, and words of a few bits.

Gradients here are those of the mean loss over the ``count`` = batch * time vectors of a step. What
must not depend on how the loss is averaged is stated for their *sum*: tau = threshold * count, and
words have their fraction there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from fxsim.network import FloatArray
from fxsim.spec.train import SparsifySpec, WordsSpec

START = 0.3
"""First threshold of the steered kinds, over the root mean square of the gate gradients."""

GAIN = 2.0
"""How much the logarithm of the threshold moves for a sparsity that is off by 1."""

SMALLEST = 1e-12

FINEST = 60
"""Greatest fraction of words, where all gradients are zero."""


@dataclass(frozen=True, kw_only=True, eq=False)
class StepRecord:
    """Effect of one training step on the gate gradients.

    Parameters
    ----------
    step : int
        From 1.
    loss : float
        Mean cross entropy of the batch, in nats.
    thresholds : float array, shape (layers,)
        Absolute thresholds on the gradients of the mean loss.
    sparsity : float array, shape (layers, 4)
        Share of zeros by LSTM layer and gate, in the order of `fxsim.network.lstm.GATES`.
    correlation : float or None
        Normalized inner product of dW and the dense dW0 over all W and U, where it was measured.
    """

    step: int
    loss: float
    thresholds: FloatArray
    sparsity: FloatArray
    correlation: float | None


class Sparsifier:
    """The rule of one LSTM layer (`fxsim.training.lstm.GateRule`).

    Parameters
    ----------
    spec : SparsifySpec
    """

    def __init__(self, spec: SparsifySpec) -> None:
        self.spec = spec
        self.prune: Callable[[torch.Tensor, float], None] = hard_threshold
        self.exact = False
        self.factor = START
        self.threshold = 0.0
        self.sparsity: FloatArray = np.zeros(4)
        self._rms = 0.0
        self._words = None if spec.words is None else Words(spec.words)

    def start(self, count: int) -> None:
        """Fix the threshold of this pass."""
        spec = self.spec
        if spec.threshold is not None:
            self.threshold = spec.threshold
        elif spec.tau is not None:
            self.threshold = spec.tau / count
        elif spec.steered:
            self.threshold = self.factor * self._rms
        if self._words is not None:
            self._words.count = count

    def change(self, dnet: torch.Tensor) -> None:
        """Round to words, then zero what the threshold says."""
        if self.exact:
            return
        if self._words is not None:
            self._words.round(dnet)
        if self.threshold > 0:
            self.prune(dnet, self.threshold)

    def finish(self, dnet: torch.Tensor) -> None:
        """Count zeros, and steer the threshold and the scale of the words of the next pass."""
        if self.exact:
            return
        gates = dnet.view(*dnet.shape[:2], 4, -1)
        left = gates.count_nonzero(dim=(0, 1, 3)).cpu().numpy()
        self.sparsity = 1 - left / (dnet.numel() / 4)
        if self.spec.steered:
            self._rms = float(dnet.square().mean().sqrt())
        if self.spec.sparsity is not None:
            self.factor *= math.exp(GAIN * (self.spec.sparsity - float(self.sparsity.mean())))
        if self._words is not None:
            self._words.follow(dnet)

    def steer(self, correlation: float) -> None:
        """Move towards the wanted correlation; its distance from 1 grows about as threshold**2."""
        if self.spec.correlation is not None:
            ratio = (1 - self.spec.correlation) / max(1 - correlation, SMALLEST)
            self.factor *= min(max(math.sqrt(ratio), 0.5), 2.0)

    def state_dict(self) -> dict[str, Any]:
        """State of the steering in plain values."""
        fraction = None if self._words is None else self._words.fraction
        return {"factor": self.factor, "rms": self._rms, "fraction": fraction}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a `state_dict`."""
        self.factor, self._rms = state["factor"], state["rms"]
        if self._words is not None:
            self._words.fraction = state["fraction"]


class Words:
    """Round gate gradients to words with a power-of-two scale.

    With the scale ``global`` the fraction is fixed. With ``layer`` it belongs to a layer and a
    training step: the finest that held the greatest word of the step before, which is all that
    hardware can know ahead; a step that saturated makes the next one coarser. With ``block`` it
    belongs to a layer and a time step: the finest that holds all gradients of the batch.

    Parameters
    ----------
    spec : WordsSpec
    """

    def __init__(self, spec: WordsSpec) -> None:
        self.spec = spec
        self.fraction = spec.fraction
        self.count = 1
        self._max = (1 << spec.bits - 1) - 1

    def round(self, dnet: torch.Tensor) -> None:
        """Round in place; halves go to even."""
        if self.spec.scale == "block":
            greatest = math.frexp(float(dnet.abs().max()) * self.count)[1]
            self.fraction = min(self.spec.bits - 1 - greatest, FINEST)
        scale = math.ldexp(self.count, self.fraction)
        dnet.mul_(scale)
        if self.spec.rounding == "nearest":
            dnet.round_()
        else:
            dnet.add_(torch.rand_like(dnet)).floor_()
        dnet.clamp_(-self._max - 1, self._max).div_(scale)

    def follow(self, dnet: torch.Tensor) -> None:
        """Choose the fraction of the next pass."""
        if self.spec.scale == "layer":
            greatest = round(math.ldexp(float(dnet.abs().max()) * self.count, self.fraction))
            spare = self.spec.bits - 1 - greatest.bit_length()
            self.fraction = min(self.fraction + (spare if greatest < self._max else -1), FINEST)


def hard_threshold(dnet: torch.Tensor, threshold: float) -> None:
    """Zero where |dnet| <= threshold: what the text of the paper means."""
    torch.hardshrink(dnet, threshold, out=dnet)


def literal_threshold(dnet: torch.Tensor, threshold: float) -> None:
    """Zero where dnet <= threshold: what the paper prints, which drops every negative gradient."""
    dnet.mul_(dnet > threshold)


@contextmanager
def dense(rules: Sequence[Sparsifier]) -> Iterator[None]:
    """Let everything pass."""
    for rule in rules:
        rule.exact = True
    try:
        yield
    finally:
        for rule in rules:
            rule.exact = False


def correlation(found: Sequence[torch.Tensor], expected: Sequence[torch.Tensor]) -> float:
    """Normalized inner product of two lists of gradients (Zhu et al. 2017, section 3.2).

    0 where either of them is 0.
    """
    products = [
        sum(float((a.double() * b.double()).sum()) for a, b in zip(first, second, strict=True))
        for first, second in ((found, expected), (found, found), (expected, expected))
    ]
    return products[0] / math.sqrt(products[1] * products[2]) if min(products[1:]) > 0 else 0.0
