"""One network of Sung et al. 2015: float, quantized directly, and retrained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fxsim.data import Dataset
from fxsim.quantizer.quantizer import quantized_parameters
from fxsim.reproduce.classifier import direct, error, in_integers, levels_of
from fxsim.simulator.noise import weight_ratios
from fxsim.spec.specification import NetworkSpec
from fxsim.spec.weight_groups import weight_groups
from fxsim.training import train

BITS = (2, 3, 4, 6, 8)
"""Direct quantization; retraining is for the first two."""

Make = Callable[..., NetworkSpec]
"""Makes a network from its weight levels, its recipe and that of retraining, if there is one."""


def resiliency(
    make: Make,
    common: Mapping[str, Any],
    base: Mapping[str, Any],
    more: Mapping[str, Any],
    dataset: Dataset,
    *,
    samples: int,
) -> dict[str, Any]:
    """Errors in percent by what was done to the network.

    Parameters
    ----------
    make : callable
    common, base, more : mapping
        Recipe that all training has, that of the float network, and that of retraining.
    samples : int
        Test samples that run in integers.
    """
    plain = make(3, {**common, **base})
    parent = train(plain, dataset).parent
    further = train(make(3, {**common, **more}), dataset, start=parent).parent
    found: dict[str, Any] = {
        "float": error(plain, parent, dataset),
        "further": error(plain, further, dataset),
        "direct": {},
        "noise": {},
        "retrained": {},
        "groups": {},
    }
    for bits in BITS:
        spec = make(levels_of(bits), {**common, **base})
        quantized = direct(spec, parent)
        found["direct"][str(bits)] = error(spec, quantized, dataset)
        found["noise"][str(bits)] = weight_ratios(spec, parent, quantized)
    for bits in BITS[:2]:
        spec = make(levels_of(bits), {**common, "epochs": 0}, more)
        checkpoint = train(spec, dataset, start=parent)
        parameters = quantized_parameters(spec, checkpoint)
        found["retrained"][str(bits)] = error(spec, parameters, dataset)
        found[f"integers_{bits}"] = in_integers(spec, checkpoint, dataset, samples)
    quantized = direct(plain, parent)
    for group, name in weight_groups(plain).items():
        mixed = dict(parent) | {name: quantized[name]}
        found["groups"][group] = error(plain, mixed, dataset)
    return found
