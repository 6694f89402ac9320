"""Figures of a point that need no synthesis: memory, cycles, and energy by a stated model.

The energy model has the figures of Horowitz, "Computing's energy problem" (ISSCC 2014), Fig. 1.1.9,
45 nm at 0.9 V: an 8-bit addition 0.03 pJ, an 8-bit multiplication 0.2 pJ, 64 bits from an SRAM of
8 KiB 10 pJ. Additions are scaled by their word length, multiplications by the product of the word
lengths of their operands, reads by their bits. It ranks networks; it does not predict a device.
"""

from __future__ import annotations

from fxsim.cost.amounts import SYNTHESISED
from fxsim.network import LayerKind, QuantizedLinear, QuantizedNetwork
from fxsim.simulator.evaluate import weight_memory_bits
from fxsim.timing.cycles import predict

ADD = 0.03 / 8
"""pJ for each bit of an addition."""

MULTIPLY = 0.2 / (8 * 8)
"""pJ for each bit of one operand times each bit of the other."""

READ = 10.0 / 64
"""pJ for each bit that is read from memory."""

ACCURACY = ("error", "loss")
PREDICTABLE = ("weight_memory_bits", "cycles", "latency", "energy")
METRICS = ACCURACY + PREDICTABLE + SYNTHESISED
"""Every objective, to be made small: share of wrong answers; mean -log2 p of the right one; bits;
cycles between vectors; cycles for one vector; pJ a vector (a step of LSTM networks); cells."""


def structure_metrics(network: QuantizedNetwork) -> dict[str, float]:
    """Values of `PREDICTABLE`."""
    cycles = predict(network)
    return {
        "weight_memory_bits": weight_memory_bits(network),
        "cycles": cycles.interval,
        "latency": cycles.latency,
        "energy": round(sum(map(_energy, network.layers)), 6),
    }


def _energy(layer: LayerKind) -> float:
    return layer.places * sum(map(layer_energy, layer.linears))


def layer_energy(layer: QuantizedLinear) -> float:
    """Energy of one matrix-vector product in pJ: weights read, multiplied, added; requantized.

    Codes without a multiplier add (shifted) activations.
    """
    weight, source = layer.code.bits, layer.input.format.bits
    accumulator = layer.accumulator.format.bits
    product = READ * weight + ADD * accumulator
    if layer.code.multiplies:
        product += MULTIPLY * weight * source
    output = 0.0
    if layer.tail is not None:
        output = MULTIPLY * accumulator * layer.tail.multiplier_bits + ADD * accumulator
    return layer.weight.size * product + layer.outputs * output
