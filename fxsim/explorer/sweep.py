"""Accuracy over the word lengths of weights and activations, point by point on a grid.

Weights of the hidden layers get the levels of the grid point; the input and the outputs of the
hidden layers get its word length, so that it is the word length of every stream between layers.
The output layer keeps its own weights and format. Nothing is trained.

The accuracies are those of the test split: the sweep shows what bits are worth and chooses nothing.
To choose word lengths there is `fxsim.explorer.run`, which never sees the test split.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fxsim.data import Dataset
from fxsim.floats.checkpoint import Checkpoint
from fxsim.quantizer.quantizer import quantize, uses_retrained
from fxsim.quantizer.remarks import quiet
from fxsim.simulator.evaluate import accuracy, calibration_samples, weight_memory_bits
from fxsim.spec.specification import NetworkSpec, parse_spec


@dataclass(frozen=True, kw_only=True)
class SweepRow:
    """One point of the grid.

    Parameters
    ----------
    levels : int or None
        Levels of the hidden weights; None where the layers of a retrained network differ.
    activation_bits : int
        Word length of the input and of the hidden activations.
    retrained : bool
        True if the weights are the retrained ones, not the float parent's quantized directly.
    accuracy : float
        Accuracy of the fixed-point network on the test split.
    weight_memory_bits : int
        Bits of all layers.
    """

    levels: int | None
    activation_bits: int
    retrained: bool
    accuracy: float
    weight_memory_bits: int


def sweep(
    spec: NetworkSpec,
    checkpoint: Checkpoint,
    dataset: Dataset,
    *,
    levels: Sequence[int] = (3, 7, 15, 63, 255),
    activation_bits: Sequence[int] = (2, 3, 4, 5, 6, 8),
    on_row: Callable[[SweepRow], None] | None = None,
) -> list[SweepRow]:
    """Quantize and evaluate every point of the grid.

    Parameters
    ----------
    spec, checkpoint, dataset
        The network; samples of ``dataset.train`` calibrate it and ``dataset.test`` tests it.
    levels, activation_bits : sequence of int
        The grid for direct quantization of the float parameters. Retrained parameters, where the
        checkpoint has them for the levels of ``spec``, add a row per activation word length.
    on_row : callable, optional
        Called with each row as it comes.

    Returns
    -------
    list of SweepRow
        Direct ones by levels and word length in the order given, then the retrained ones.

    Raises
    ------
    SpecError
        If a word length breaks a constraint, the checkpoint belongs to another network, or this has
        several inputs or outputs.
    """
    spec.check_single()
    hidden = {p.spec.weights.levels for p in spec.products if p.layer < spec.last}
    own = hidden.pop() if len(hidden) == 1 else None
    points: list[tuple[int | None, int, bool]] = [
        (count, bits, False) for count in levels for bits in activation_bits
    ]
    if uses_retrained(spec, checkpoint):
        points += [(own, bits, True) for bits in activation_bits]
    samples = calibration_samples(dataset)
    rows = []
    for count, bits, retrained in points:
        varied = vary(spec, levels=None if retrained else count, activation_bits=bits)
        with quiet():
            network = quantize(varied, checkpoint, samples, direct=not retrained, depths=False)
        row = SweepRow(
            levels=count,
            activation_bits=bits,
            retrained=retrained,
            accuracy=accuracy(network, dataset.test),
            weight_memory_bits=weight_memory_bits(network),
        )
        rows.append(row)
        if on_row is not None:
            on_row(row)
    return rows


def vary(spec: NetworkSpec, *, levels: int | None, activation_bits: int) -> NetworkSpec:
    """Copy of ``spec`` at a point of the grid; None keeps the levels of every layer."""
    value = spec.model_dump(mode="json")
    value["input"]["bits"] = activation_bits
    for layer in value["layers"][: spec.last]:
        if layer.get("output") is not None:  # pools keep the format of their input
            layer["output"]["bits"] = activation_bits
        if levels is not None and "weights" in layer:
            layer["weights"] |= {"levels": levels, "scheme": "symmetric"}
    return parse_spec(value, f"sweep of {spec.name}")
