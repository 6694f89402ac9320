"""Concatenations: one format and scale for all operands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fxsim.network import Activation, Concat, FloatArray, IntArray, Layer, Rescale
from fxsim.quantizer.activation import integers
from fxsim.quantizer.rescale import rescale_to
from fxsim.quantizer.scale import calibrated_output
from fxsim.spec.formats import OutputSpec
from fxsim.spec.specification import ConcatSpec, NetworkSpec


def quantize_concat(
    spec: NetworkSpec,
    index: int,
    layer: ConcatSpec,
    operands: Sequence[tuple[Activation, IntArray]],
) -> tuple[Concat, IntArray]:
    """Quantize one concatenation; returns it with the calibration samples that leave it.

    It may take other formats and scales than its operands have: see `alike`.

    Parameters
    ----------
    operands : sequence of (Activation, int64 array of shape (n, items))
        Format and calibration samples of each.
    """
    shapes, rounding = spec.layer_shapes(index), spec.layer_rounding(index)
    pixels = [
        (a.scale * (x - a.zero_point)).reshape(len(x), -1, shape[0])
        for (a, x), shape in zip(operands, shapes, strict=True)
    ]
    real: FloatArray = np.concatenate(pixels, axis=2).reshape(len(pixels[0]), -1)
    common = _common(spec, index, layer, [source for source, _ in operands], real)
    quantized = Concat(
        name=spec.layer_name(index), shapes=shapes, input=common, lanes=layer.hardware.lanes
    )
    return quantized, integers(real, common, rounding, layer.requantize.overflow)


def _common(
    spec: NetworkSpec,
    index: int,
    layer: ConcatSpec,
    sources: Sequence[Activation],
    real: FloatArray,
) -> Activation:
    """Format and scale of all operands: theirs, if they have one and no other is wanted."""
    if layer.output is None and len(set(sources)) == 1:
        return sources[0]
    formats = [source.format for source in sources]
    wanted = layer.output or OutputSpec(bits=max(fmt.bits for fmt in formats))
    if wanted.signed is None:
        signed = any(fmt.signed for fmt in formats)
        wanted = wanted.model_copy(update={"signed": signed})
    name, rounding = spec.layer_name(index), spec.layer_rounding(index)
    return calibrated_output(name, real, wanted, layer.requantize, rounding, np.ones(1))


def alike(
    spec: NetworkSpec, index: int, layer: Layer, sources: Sequence[Activation]
) -> dict[str, Rescale]:
    """Rescales to what a layer takes, by the names of the sources that yield something else."""
    requantize, found = spec.layers[index].alike, dict[str, Rescale]()
    for start, source, taken in zip(
        spec.layer_sources(index), sources, layer.operands, strict=True
    ):
        if requantize is not None and source != taken.activation:
            found[start] = rescale_to(
                spec.brought_name(index, start),
                taken.shape,
                source,
                taken.activation,
                requantize,
                spec.layer_rounding(index),
                lanes=layer.lanes_in,
            )
    return found
