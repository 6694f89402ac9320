"""Score of outputs against labels, counted part by part."""

from __future__ import annotations

import numpy as np

from fxsim.floats import scores
from fxsim.network import IntArray, QuantizedNetwork
from fxsim.simulator.evaluate import answers


class Tally:
    """Hits, and bits per character where vectors are the steps of sequences.

    Parameters
    ----------
    network : QuantizedNetwork
        It has one output.
    labels : int64 array, shape (n,) or (n, t)
        Of the vectors in the order in which outputs are added.
    """

    def __init__(self, network: QuantizedNetwork, labels: IntArray) -> None:
        self._network, self._labels = network, labels.reshape(-1)
        self._seen = self._hits = 0
        self._bits = 0.0
        self.in_bits = network.recurrent and not network.classifies
        """True if the outputs are logits of characters."""

    def add(self, outputs: IntArray) -> None:
        """Count the outputs (..., outputs) of the next vectors."""
        vectors = outputs.reshape(-1, outputs.shape[-1])
        labels = self._labels[self._seen :][: len(vectors)]
        self._seen += len(vectors)
        self._hits += int(np.count_nonzero(answers(self._network, vectors) == labels))
        if self.in_bits and len(vectors):
            logits = self._network.output.scale * vectors.astype(np.float64)
            self._bits += scores.bits_per_character(logits, labels) * len(vectors)

    @property
    def accuracy(self) -> float:
        """Share of hits."""
        return self._hits / self._seen

    @property
    def bits_per_character(self) -> float:
        """Mean of -log2 p, see `fxsim.floats.scores.bits_per_character`."""
        return self._bits / self._seen
