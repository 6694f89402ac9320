"""Scores of outputs against labels."""

from __future__ import annotations

import numpy as np

from fxsim.network import FloatArray, IntArray


def accuracy(logits: FloatArray, labels: IntArray) -> float:
    """Share of vectors whose greatest entry (the first of equals) is at the label."""
    return float((logits.argmax(axis=-1) == labels).mean())


def bits_per_character(logits: FloatArray, labels: IntArray) -> float:
    """Mean of -log2 p over all steps, p being the softmax of ``logits`` at the label.

    Parameters
    ----------
    logits : float64 array, shape (..., classes)
    labels : int64 array, shape (...)
    """
    shifted = logits - logits.max(axis=-1, keepdims=True)
    chosen = np.take_along_axis(shifted, labels[..., None], axis=-1)[..., 0]
    return float((np.log(np.exp(shifted).sum(axis=-1)) - chosen).mean() / np.log(2.0))
