"""One network of Tu et al. 2016, pruned and quantized in many ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fxsim.data import Dataset
from fxsim.floats.checkpoint import Checkpoint, LinearParameters, RetrainedParameters
from fxsim.floats.forward import forward
from fxsim.floats.prune import Criterion, Parameters, prune
from fxsim.network import FloatArray
from fxsim.quantizer.nonuniform import Compressed, Quantizer, compress
from fxsim.reproduce.classifier import in_integers
from fxsim.spec.specification import InputSpec, NetworkSpec
from fxsim.training import train_with_fisher

SHARES = (0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.9641, 0.975)
METHODS = {
    "mag": (Criterion.MAGNITUDE, 0.0),
    "fisher": (Criterion.FISHER, 1.0),
    "mag_fisher r=0.02": (Criterion.COMBINED, 0.02),
    "mag_fisher r=0.05": (Criterion.COMBINED, 0.05),
    "mag_fisher r=0.1": (Criterion.COMBINED, 0.1),
}
PRUNED = 0.9133
"""Removed by magnitude before quantization, as in section III-B."""

CLUSTERS = (3, 4, 5, 6, 8, 10)
UNIFORM = (1, 2, 3, 4, 6)

_WIDE = (1 << 16) - 1
"""Levels of the grid that holds words of all lengths."""


def study(make: Callable[[int], NetworkSpec], dataset: Dataset, *, samples: int) -> dict[str, Any]:
    """Accuracy in percent and loss of one network, pruned and quantized.

    Of a convolutional network only the fully connected part is, as in the paper; the part before it
    runs once.

    Parameters
    ----------
    make : callable
        Makes the network from the levels of its weights.
    dataset : Dataset
    samples : int
        Test samples that run in integers.
    """
    spec = make(255)
    checkpoint, fisher = train_with_fisher(spec, dataset)
    parent = checkpoint.parent
    last, features = _tail(spec, parent, dataset.test.x.astype(np.float64))
    part = [product.name for product in last.products]
    y = dataset.test.y

    def score(parameters: Parameters) -> list[float]:
        logits = forward(last, parameters, features)
        shifted = logits - logits.max(axis=1, keepdims=True)
        loss = float((np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(y)), y]).mean())
        return [100 * dataset.accuracy(logits.argmax(axis=1), y), loss]

    pruned = prune(parent, PRUNED, Criterion.MAGNITUDE, products=part)

    def compressed(**options: Any) -> list[float]:
        small = compress(pruned, products=part, **options)
        return [small.average, *score(small.parameters), small.paper_ratio, small.ratio]

    def removed(criterion: Criterion, share: float, r: float) -> list[float]:
        options = {"fisher": fisher, "fisher_share": r, "products": part}
        return score(prune(parent, share, criterion, **options))  # type: ignore[arg-type]

    return {
        "parameters": sum(parent[name].weight.size + parent[name].bias.size for name in part),
        "float": score(parent),
        "pruning": {
            name: [removed(criterion, share, r) for share in SHARES]
            for name, (criterion, r) in METHODS.items()
        },
        "pruned": score(pruned),
        "words": {
            "uniform": [compressed(clusters=0, bits=bits) for bits in UNIFORM],
            "fisher": [compressed(clusters=k, importance=fisher) for k in CLUSTERS],
            "mag": [compressed(clusters=k, logarithm=False) for k in CLUSTERS],
            "fisher, raw": [
                compressed(clusters=k, importance=fisher, logarithm=False) for k in CLUSTERS
            ],
            "uniform, l2": [
                compressed(clusters=0, bits=bits, quantizer=Quantizer.L2) for bits in UNIFORM
            ],
        },
        "integers": _in_integers(
            make(_WIDE),
            parent,
            compress(pruned, 5, importance=fisher, products=part),
            dataset,
            samples,
        ),
    }


def _tail(
    spec: NetworkSpec, parent: Mapping[str, LinearParameters], x: FloatArray
) -> tuple[NetworkSpec, FloatArray]:
    """The fully connected part of a network, and what it gets for samples ``x``."""
    vectors = [i for i in range(len(spec.layers)) if len(spec.layer_shape(i)) == 1]
    if not vectors or vectors[0] == 0:
        return spec, x
    head = spec.model_copy(update={"layers": spec.layers[: vectors[0]]})
    features = forward(head, parent, x)
    source = InputSpec(shape=(features.shape[1],))
    changes = {"layers": spec.layers[vectors[0] :], "only_input": source}
    return spec.model_copy(update=changes), features


def _in_integers(
    spec: NetworkSpec,
    parent: Mapping[str, LinearParameters],
    small: Compressed,
    dataset: Dataset,
    samples: int,
) -> dict[str, float]:
    """The compressed network in the bit-exact simulator: words of all lengths on a 16-bit grid."""
    retrained = {
        name: RetrainedParameters(
            weight=p.weight,
            bias=p.bias,
            scale=np.array([np.abs(p.weight).max() / (_WIDE // 2)]),
            levels=_WIDE,
        )
        for name, p in small.parameters.items()
    }
    return in_integers(spec, Checkpoint(parent=parent, retrained=retrained), dataset, samples)
