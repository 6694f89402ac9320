"""One language model in float, and in integers after each kind of training."""

from __future__ import annotations

from typing import Any

from fxsim.data import Dataset
from fxsim.floats.checkpoint import Checkpoint
from fxsim.quantizer import quantize
from fxsim.reproduce.language import in_integers, language_model
from fxsim.simulator.evaluate import (
    bits_per_character,
    calibration_samples,
    float_bits_per_character,
)
from fxsim.spec.specification import NetworkSpec
from fxsim.training import train

BITS = (8, 6, 5, 4)
QAT_BITS = (8, 4)
"""Networks for which quantization-aware training is done too."""


KNOWS = {"scheme": "every_update", "backward": "float"}
"""Training that knows of quantization: Algorithm 1, with the activations of the recipe."""


def compare(
    dataset: Dataset,
    *,
    cells: int,
    projection: int | None,
    seed: int,
    epochs: int,
    extra: int,
    activations: str,
) -> dict[str, Any]:
    """Bits per character of one network, by training and word length.

    Parameters
    ----------
    dataset : Dataset
    cells : int
    projection : int, optional
        Units of the recurrent projection.
    seed, epochs, extra : int
        Epochs of float training; ``extra`` epochs more are in float or quantized.
    activations : str
        In these.
    """
    optimizer = {"type": "adam", "lr": 0.008}
    common = {"batch": 16, "steps": 48, "clip": 1.0, "seed": seed}
    base = common | {"optimizer": optimizer, "epochs": epochs, "final_lr": 0.25}
    more = {"optimizer": optimizer | {"lr": 0.002}, "epochs": extra, "final_lr": 0.2}

    def spec(bits: int, recipe_of: dict[str, Any], **retrain: Any) -> NetworkSpec:
        return language_model(
            dataset,
            cells,
            1 << bits,
            recipe_of,
            more | KNOWS | {"activations": activations} | retrain if retrain else None,
            scheme="asymmetric",
            projection=projection,
        )

    parent = train(spec(8, base), dataset).parent
    match = train(spec(8, common | more), dataset, start=parent).parent
    found: dict[str, Any] = {
        "parameters": int(sum(p.weight.size + p.bias.size for p in match.values())),
        "match": float_bits_per_character(spec(8, base), match, dataset.test),
        "mismatch": {},
        "quant": {},
        "quant-all": {},
        "integers": {},
    }
    calibration = calibration_samples(dataset)

    def measure(key: str, bits: int, wanted: NetworkSpec, checkpoint: Checkpoint) -> None:
        network = quantize(wanted, checkpoint, calibration)
        found[key][str(bits)] = bits_per_character(network, dataset.test)
        if bits in QAT_BITS:
            found["integers"][f"{key}, {bits} bits"] = in_integers(wanted, checkpoint, dataset)

    for bits in BITS:
        measure("mismatch", bits, spec(bits, base), Checkpoint(parent=match))
    for bits in QAT_BITS:
        for key, layers in (("quant", ["classes"]), ("quant-all", [])):
            wanted = spec(bits, common | {"epochs": 0}, float_layers=layers)
            measure(key, bits, wanted, train(wanted, dataset, start=parent))
    return found
