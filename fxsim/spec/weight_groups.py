"""Names of groups of weights, as Sung et al. (2015) have them: In-h1, h1-h2, ..., h4-out.

A group is the weights between two layers, and has a step of its own (or several, by gate or by
channel). Hidden layers are h1, h2, ...; convolutions C1, C2, ..., and the fully connected layers of
such a network F1, F2, ...; LSTM layers L1, L2, ..., with L1-L1 for the recurrent weights; P1 is the
projection of L1, whose recurrent weights are P1-L1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

from fxsim.spec.images import ConvolutionSpec
from fxsim.spec.layers import LinearSpec, LstmSpec

_LETTERS: dict[type, str] = {ConvolutionSpec: "C", LstmSpec: "L", LinearSpec: "F"}


class HasProducts(Protocol):
    """A `fxsim.spec.specification.NetworkSpec`."""

    @property
    def layers(self) -> Sequence[Any]: ...
    def layer_products(self, index: int, /) -> Sequence[Any]: ...


def weight_groups(spec: HasProducts) -> dict[str, str]:
    """Names of products (`NetworkSpec.products`) by those of their groups, in the data's order."""
    images = any(isinstance(layer, ConvolutionSpec) for layer in spec.layers)
    weighted = [i for i in range(len(spec.layers)) if spec.layer_products(i)]
    groups: dict[str, str] = {}
    count: Counter[str] = Counter()
    before = "In"
    for i in weighted:
        layer, names = spec.layers[i], [product.name for product in spec.layer_products(i)]
        letter = _LETTERS[type(layer)]
        count[letter] += 1
        number = count[letter]
        if isinstance(layer, LstmSpec):
            here = f"L{number}"
            behind = here if layer.projection is None else f"P{number}"
            labels = [f"{before}-{here}", f"{behind}-{here}", f"{here}-{behind}"]
            groups |= zip(labels, names, strict=False)
            before = behind
        else:
            shown = letter if letter == "C" or images else "h"
            here = "out" if i == weighted[-1] else f"{shown}{number}"
            groups[f"{before}-{here}"] = names[0]
            before = here
    return groups
