"""The oracle: a slow, obvious interpreter of a `QuantizedNetwork` on Python integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import index

from fxsim.arithmetic import integers
from fxsim.errors import RangeError
from fxsim.network import (
    INPUT,
    Argmax,
    MaxPool,
    QuantizedAdd,
    QuantizedConvolution,
    QuantizedLinear,
    QuantizedLstm,
    QuantizedNetwork,
    Windows,
)


@dataclass(frozen=True)
class LayerResult:
    """What a layer does to one vector or image; without accumulators, both lists are the same."""

    accumulators: list[int]
    activations: list[int]
    overflows: int


@dataclass(frozen=True)
class LstmState:
    """What an LSTM layer carries from one vector to the next."""

    hidden: list[int]
    cell: list[int]


@dataclass(frozen=True)
class LstmResult:
    """What an LSTM layer does to one vector; gates in block order i, f, o, g."""

    input_product: LayerResult
    hidden_product: LayerResult
    preactivations: list[int]
    gates: list[int]
    cell_outputs: list[int]
    projection: LayerResult | None
    state: LstmState

    @property
    def activations(self) -> list[int]:
        """What the layer yields."""
        return self.state.hidden


def run_linear(layer: QuantizedLinear, vector: Sequence[int]) -> LayerResult:
    """Apply one fully connected layer to one vector of integers."""
    vector = [int(index(x)) for x in vector]  # numpy integers would overflow
    accumulators, overflows = [], 0
    for weights, bias in zip(layer.weight.tolist(), layer.bias.tolist(), strict=True):
        accumulator, count = integers.accumulate(
            (w * x for w, x in zip(weights, vector, strict=True)),
            start=bias,
            simd=layer.folding.simd,
            fmt=layer.accumulator.format,
            mode=layer.accumulator.mode,
        )
        accumulators.append(accumulator)
        overflows += count
    if layer.requantizer is None:
        return LayerResult(accumulators, list(accumulators), overflows)
    multipliers, offsets = (
        array.tolist() * (1 if len(array) > 1 else layer.outputs)
        for array in (layer.requantizer.multiplier, layer.requantizer.offset)
    )
    activations = [
        integers.requantize(
            accumulator,
            multiplier=multiplier,
            offset=offset,
            slack_bits=layer.requantizer.slack_bits,
            shift=layer.requantizer.shift,
            zero_point=layer.output.zero_point,
            fmt=layer.output.format,
            rounding=layer.requantizer.rounding,
            mode=layer.requantizer.overflow,
            relu=layer.relu,
        )
        for accumulator, multiplier, offset in zip(accumulators, multipliers, offsets, strict=True)
    ]
    return LayerResult(accumulators, activations, overflows)


def windows_of(
    windows: Windows, image: Sequence[int], outside: int, group: int = 0
) -> list[list[int]]:
    """Windows of one group, row by row; pixels outside the image are ``outside``."""
    depth, found = windows.group_channels, []
    for row in range(windows.rows):
        for column in range(windows.columns):
            window = []
            for ky in range(windows.kernel[0]):
                for kx in range(windows.kernel[1]):
                    y = row * windows.stride - windows.padding + ky
                    x = column * windows.stride - windows.padding + kx
                    for c in range(group * depth, (group + 1) * depth):
                        inside = 0 <= y < windows.height and 0 <= x < windows.width
                        place = (y * windows.width + x) * windows.channels + c
                        window.append(image[place] if inside else outside)
            found.append(window)
    return found


def run_convolution(layer: QuantizedConvolution, image: Sequence[int]) -> LayerResult:
    """Apply the product of each group to the group's windows."""
    places = [LayerResult([], [], 0) for _ in range(layer.windows.places)]
    for group, product in enumerate(layer.group_products):
        seen = windows_of(layer.windows, image, layer.input.zero_point, group)
        for k, window in enumerate(seen):
            before, result = places[k], run_linear(product, window)
            places[k] = LayerResult(
                before.accumulators + result.accumulators,
                before.activations + result.activations,
                before.overflows + result.overflows,
            )
    return LayerResult(
        [value for place in places for value in place.accumulators],
        [value for place in places for value in place.activations],
        sum(place.overflows for place in places),
    )


def run_max_pool(layer: MaxPool, image: Sequence[int]) -> LayerResult:
    """Greatest integer of each channel in each window."""
    channels = layer.windows.channels
    result = [
        max(window[channel::channels])
        for window in windows_of(layer.windows, image, layer.input.format.min)
        for channel in range(channels)
    ]
    return LayerResult(result, list(result), 0)


def run_add(layer: QuantizedAdd, vector: Sequence[int], other: Sequence[int]) -> LayerResult:
    """Add what a shortcut brings: each operand times its multiplier, one rounding."""
    accumulators, activations = [], []
    first, second = layer.requantizer.multiplier.tolist()
    for x, y in zip(vector, other, strict=True):
        real_x = int(index(x)) - layer.input.zero_point
        real_y = int(index(y)) - layer.other.zero_point
        accumulators.append(first * real_x + second * real_y)
        if not layer.accumulator.holds(accumulators[-1], accumulators[-1]):
            raise RangeError(
                f"{layer.name}: {accumulators[-1]} must be in {layer.accumulator}, as was proven"
            )
        activations.append(
            integers.requantize(
                accumulators[-1],
                multiplier=1,
                slack_bits=layer.requantizer.slack_bits,
                shift=layer.requantizer.shift,
                zero_point=layer.output.zero_point,
                fmt=layer.output.format,
                rounding=layer.requantizer.rounding,
                mode=layer.requantizer.overflow,
                relu=layer.relu,
            )
        )
    return LayerResult(accumulators, activations, 0)


def run_argmax(layer: Argmax, vector: Sequence[int]) -> LayerResult:
    """Index of the first of the greatest integers."""
    answer = 0
    for place in range(1, layer.items):
        if vector[place] > vector[answer]:
            answer = place
    return LayerResult([answer], [answer], 0)


def initial_state(layer: QuantizedLstm) -> LstmState:
    """State at the start of a sequence: real 0 everywhere."""
    return LstmState([layer.output.zero_point] * layer.outputs, [0] * layer.cells)


def run_lstm(layer: QuantizedLstm, vector: Sequence[int], state: LstmState) -> LstmResult:
    """Apply one LSTM layer to one vector; the formulas are those of `QuantizedLstm`."""

    def shifted(value: int, shift: int) -> int:
        return integers.shift_round(value, shift, layer.rounding)

    from_input = run_linear(layer.input_product, vector)
    from_hidden = run_linear(layer.hidden_product, state.hidden)
    preactivations = [
        integers.saturate(shifted(a + b, layer.guard_bits), layer.tanh.input)
        for a, b in zip(from_input.activations, from_hidden.activations, strict=True)
    ]
    n = layer.cells
    gates = [layer.sigmoid(z) for z in preactivations[: 3 * n]]
    gates += [layer.tanh(z) for z in preactivations[3 * n :]]
    cells, outputs = [], []
    for k, before in enumerate(state.cell):
        i, f, o, g = (gates[gate * n + k] for gate in range(4))
        kept = shifted(f * before, layer.forget_shift)
        added = shifted(i * g, layer.input_shift)
        cell = integers.saturate(kept + added, layer.cell)
        squashed = layer.tanh(integers.saturate(shifted(cell, layer.cell_shift), layer.tanh.input))
        output = integers.saturate(
            shifted(o * squashed, layer.output_shift), layer.cell_output.format
        )
        cells.append(cell)
        outputs.append(output)
    projection = None if layer.projection is None else run_linear(layer.projection, outputs)
    hidden = outputs if projection is None else projection.activations
    return LstmResult(
        from_input,
        from_hidden,
        preactivations,
        gates,
        outputs,
        projection,
        LstmState(hidden, cells),
    )


def run_sequence(
    network: QuantizedNetwork,
    sequence: Sequence[Sequence[int]],
    state: Mapping[str, LstmState] | None = None,
) -> list[list[LayerResult | LstmResult]]:
    """Run the vectors of one sequence through every layer.

    Parameters
    ----------
    sequence : sequence of sequences of int
    state : mapping of str to LstmState, optional
        By the name of the layer, where the sequence goes on; left out, the initial state.

    Returns
    -------
    list of list
        For each vector, the result of each layer.

    Raises
    ------
    RangeError
        If a vector has the wrong length or leaves the input format.
    """
    states = {
        layer.name: initial_state(layer) if state is None else state[layer.name]
        for layer in network.layers
        if isinstance(layer, QuantizedLstm)
    }
    steps: list[list[LayerResult | LstmResult]] = []
    for vector in sequence:
        _check_input(network, vector)
        results: list[LayerResult | LstmResult] = []
        yielded = {INPUT: vector}
        for layer in network.layers:
            source = results[-1].activations if results else vector
            if isinstance(layer, QuantizedLstm):
                result = run_lstm(layer, source, states[layer.name])
                states[layer.name] = result.state
                results.append(result)
            elif isinstance(layer, QuantizedConvolution):
                results.append(run_convolution(layer, source))
            elif isinstance(layer, MaxPool):
                results.append(run_max_pool(layer, source))
            elif isinstance(layer, QuantizedAdd):
                results.append(run_add(layer, source, yielded[layer.shortcut]))
            elif isinstance(layer, Argmax):
                results.append(run_argmax(layer, source))
            else:
                results.append(run_linear(layer, source))
            yielded[layer.name] = results[-1].activations
        steps.append(results)
    return steps


def run(network: QuantizedNetwork, vector: Sequence[int]) -> list[LayerResult]:
    """Run one vector through every layer of a network without state.

    Raises
    ------
    RangeError
        If the vector has the wrong length or leaves the input format.
    """
    results = run_sequence(network, [vector])[0]
    return [result for result in results if isinstance(result, LayerResult)]


def _check_input(network: QuantizedNetwork, vector: Sequence[int]) -> None:
    if len(vector) != network.layers[0].inputs:
        raise RangeError(f"input must have {network.layers[0].inputs} values, not {len(vector)}")
    for value in vector:
        if not network.input.activation.format.holds(value):
            raise RangeError(f"input must be in {network.input.activation.format}, not {value}")
