"""Names of groups of weights, as Sung et al. (2015) have them: In-h1, h1-h2, ..., h4-out.

A group is the weights between two layers, and has a step of its own (or several, by gate or by
channel). Hidden layers are h1, h2, ...; convolutions C1, C2, ..., and the fully connected layers of
such a network F1, F2, ...; LSTM layers L1, L2, ..., with L1-L1 for the recurrent weights; P1 is the
projection of L1, whose recurrent weights are P1-L1.

Layers without weights do not count: what takes a sum is named after its first operand. Each of
several inputs has its own name in place of In, and a layer that no weights follow is called out
only where it is the only one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

from fxsim.spec.kind import Kind, Product


class HasProducts(Protocol):
    """A `fxsim.spec.specification.NetworkSpec`."""

    @property
    def layers(self) -> Sequence[Kind]: ...
    @property
    def inputs(self) -> Mapping[str, object]: ...
    @property
    def products(self) -> Sequence[Product]: ...
    def layer_name(self, index: int, /) -> str: ...
    def layer_sources(self, index: int, /) -> Sequence[str]: ...


def weight_groups(spec: HasProducts) -> dict[str, str]:
    """Names of products (`NetworkSpec.products`) by those of their groups, in the data's order."""
    products: dict[int, list[Product]] = {}
    for product in spec.products:
        products.setdefault(product.layer, []).append(product)
    convolutions = any(own[0].window is not None for own in products.values())
    final = _final(spec, set(products))
    groups: dict[str, str] = {}
    count: Counter[str] = Counter()
    labels = {name: "In" if len(spec.inputs) == 1 else name for name in spec.inputs}
    for i, layer in enumerate(spec.layers):
        before = here = labels[spec.layer_sources(i)[0]]
        if own := products.get(i):
            letter, names = own[0].letter, [product.name for product in own]
            count[letter] += 1
            number = count[letter]
            if layer.recurrent:
                cells = f"{letter}{number}"
                here = cells if len(own) == 2 else f"P{number}"
                found = [f"{before}-{cells}", f"{here}-{cells}", f"{cells}-{here}"]
                groups |= zip(found, names, strict=False)
            else:
                here = "out" if i == final else f"{letter if convolutions else 'h'}{number}"
                groups[f"{before}-{here}"] = names[0]
        labels[spec.layer_name(i)] = here
    return groups


def _final(spec: HasProducts, weighted: set[int]) -> int | None:
    """The only layer with weights whose values reach no other one, if there is only one."""
    ends, reaching = [], set[str]()
    for i in reversed(range(len(spec.layers))):
        name = spec.layer_name(i)
        if i in weighted and name not in reaching:
            ends.append(i)
        if i in weighted or name in reaching:
            reaching.update(spec.layer_sources(i))
    return ends[0] if len(ends) == 1 else None
