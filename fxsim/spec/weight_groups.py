"""Names of groups of weights, as Sung et al. (2015) have them: In-h1, h1-h2, ..., h4-out.

A group is the weights between two layers, and has a step of its own (or several, by gate or by
channel). Hidden layers are h1, h2, ...; convolutions C1, C2, ..., and the fully connected layers of
such a network F1, F2, ...; LSTM layers L1, L2, ..., with L1-L1 for the recurrent weights; P1 is the
projection of L1, whose recurrent weights are P1-L1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from fxsim.spec.kind import Kind, Product


class HasProducts(Protocol):
    """A `fxsim.spec.specification.NetworkSpec`."""

    @property
    def layers(self) -> Sequence[Kind]: ...
    def layer_products(self, index: int, /) -> Sequence[Product]: ...


def weight_groups(spec: HasProducts) -> dict[str, str]:
    """Names of products (`NetworkSpec.products`) by those of their groups, in the data's order."""
    products = [found for i in range(len(spec.layers)) if (found := spec.layer_products(i))]
    convolutions = any(first.window is not None for first, *_ in products)
    groups: dict[str, str] = {}
    count: Counter[str] = Counter()
    before = "In"
    for own in products:
        letter, names = own[0].letter, [product.name for product in own]
        count[letter] += 1
        number = count[letter]
        if spec.layers[own[0].layer].recurrent:
            here = f"{letter}{number}"
            behind = here if len(own) == 2 else f"P{number}"
            labels = [f"{before}-{here}", f"{behind}-{here}", f"{here}-{behind}"]
            groups |= zip(labels, names, strict=False)
            before = behind
        else:
            shown = letter if convolutions else "h"
            here = "out" if own is products[-1] else f"{shown}{number}"
            groups[f"{before}-{here}"] = names[0]
            before = here
    return groups
