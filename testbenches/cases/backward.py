# amaranth: UnusedElaboratable=no
"""Configurations of the blocks of the backward pass, with expected words and predicted cycles."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import Component, Out

from fxsim.arithmetic.formats import IntFormat, Rounding
from fxsim.arithmetic.stochastic import Stochastic
from fxsim.arithmetic.tensors import Activation, IntArray
from fxsim.hw.backward.gate_gradient import GateGradient
from fxsim.hw.backward.lstm_backward import LstmBackward, LstmBackwardConfig
from fxsim.hw.backward.outer_accumulator import OuterConfig
from fxsim.hw.backward.sparse_outer import SparseOuterProduct
from fxsim.hw.skip.pairs import ZeroSkipConfig
from fxsim.testbenches.bench.channel import Channel
from fxsim.testbenches.bench.words import Words
from fxsim.testbenches.cases.backward_data import Pass, backwards, random_pass, text_pass
from fxsim.testbenches.cases.sparse import INT5, INT8, SparseCase
from fxsim.testbenches.cases.sparse_data import every_mask, fill, masks
from fxsim.timing.lstm_gradient import (
    gate_gradient_cycles,
    gate_gradient_latency,
    lstm_backward_cycles,
    sparse_outer_cycles,
)

ROUNDINGS = [*Rounding, Stochastic(seed=0x9E3779B9)]


@dataclass(frozen=True, kw_only=True)
class Records:
    """Vectors of records with fields of several formats, ``lanes`` records a beat."""

    formats: list[IntFormat]
    lanes: int
    fields: list[IntArray]

    def channel(self, name: str, port: str) -> Channel:
        """Channel at the stream ``port`` of the top module, a word of bits for each beat."""
        vectors, items = self.fields[0].shape
        packed = np.zeros((vectors, items), object)
        size = 0
        for fmt, values in zip(self.formats, self.fields, strict=True):
            assert fmt.holds(int(values.min()), int(values.max()))
            packed += (values.astype(object) & (1 << fmt.bits) - 1) << size
            size += fmt.bits
        places = np.array([1 << size * lane for lane in range(self.lanes)], object)
        words = packed.reshape(-1, self.lanes) @ places
        bits = size * self.lanes
        return Channel(
            name=name,
            data=f"{port}__payload",
            valid=f"{port}__valid",
            ready=f"{port}__ready",
            lanes=1,
            stride=bits,
            bits=bits,
            signed=False,
            beats=items // self.lanes,
            words=words.tolist(),
        )


class Tied(Component):
    """A block whose registers have fixed values, and whose watched streams can be ports."""

    def __init__(self, block: Component, values: Mapping[str, int]):
        self._block, self._values = block, values
        members = {}
        for name, member in block.signature.members.items():
            if member.is_signature:
                watched = member.signature.always_ready
                payload = member.signature.members["payload"].shape
                members[name] = Out(stream.Signature(payload)) if watched else member
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.block = block = self._block
        for name in self.signature.members:
            inner, outer = getattr(block, name), getattr(self, name)
            if inner.signature.always_ready:  # a constant, which is no port
                m.d.comb += [outer.valid.eq(inner.valid), outer.payload.eq(inner.payload)]
            else:
                wiring.connect(m, wiring.flipped(outer), inner)
        for name, value in self._values.items():
            m.d.comb += getattr(block, name).eq(value)
        return m


def _registers(data: Pass) -> dict[str, int]:
    """Values of the threshold, the length of a sequence and the seed."""
    rounding = data.gradient.rounding
    seed = {"seed": rounding.seed} if isinstance(rounding, Stochastic) else {}
    return {"threshold": data.gradient.threshold, "steps": data.steps, **seed}


def _stored(data: Pass, lanes: int) -> Records:
    layer, trace = data.gradient.layer, data.trace
    gates = [backwards(gate) for gate in np.split(trace["gates"], 4, axis=2)]
    # The hardware knows by itself that the state before the first step is 0.
    noise = np.full_like(trace["cell"][:, :1], layer.cell.max)
    earlier = np.concatenate([noise, trace["cell"][:, :-1]], axis=1)
    sigmoid, tanh = layer.sigmoid.output, layer.tanh.output
    return Records(
        formats=[sigmoid, sigmoid, sigmoid, tanh, layer.cell, layer.cell],
        lanes=lanes,
        fields=[*gates, backwards(trace["cell"]), backwards(earlier)],
    )


def _words(fmt: IntFormat, lanes: int, values: IntArray) -> Words:
    return Words(format=fmt, lanes=lanes, vectors=values.tolist())


def gate_case(data: Pass, *, lanes: int, name: str) -> SparseCase:
    """`GateGradient` with r from the simulator: gate gradients and dc of every step."""
    gradient = data.gradient
    layer, dh = gradient.layer, gradient.dh.format
    block = GateGradient(gradient, lanes=lanes)
    beats = layer.cells // lanes
    accepted = np.arange(len(data.x) * data.steps * beats)
    latency = gate_gradient_latency(layer.tanh)
    cycles = gate_gradient_cycles(accepted, beats=beats, latency=latency)
    return SparseCase(
        name=f"{name}_cells{layer.cells}_lanes{lanes}",
        block=Tied(block, _registers(data)),
        given=_stored(data, lanes),
        expected=_words(gradient.dnet.format, 4 * lanes, backwards(data.result.dnet)),
        more_given={
            "dy": _words(dh, lanes, backwards(data.dy)),
            # The last step, which comes first, takes none.
            "r": _words(dh, lanes, backwards(data.recurrent[:, :-1])),
        },
        watched={"dc": _words(gradient.dc.format, lanes, backwards(data.dc))},
        due=cycles.outputs.tolist(),
        cycles=cycles,
    )


def outer_case(
    config: OuterConfig,
    gradients: IntArray,
    x: IntArray,
    *,
    name: str,
    drains: int = 1,
) -> SparseCase:
    """`SparseOuterProduct` against dense sums on Python integers, with ``drains`` equal batches.

    The cycles of later batches depend on the drain before; only those of one are predicted.
    """
    skip, fmt, vectors = config.skip, config.accumulator, len(gradients) // drains
    padded = np.zeros((len(x), config.tiles * config.columns), np.int64)
    padded[:, : config.inputs] = x
    padded[:, config.inputs :] = config.source.format.max  # noise
    rows = []
    for start in range(0, len(gradients), vectors):
        sums = np.zeros((skip.items, padded.shape[1]), object)
        for d, values in zip(
            gradients[start : start + vectors], x[start : start + vectors], strict=True
        ):
            sums[:, : config.inputs] += np.outer(d, values - config.source.zero_point)
            sums = np.clip(sums, fmt.min, fmt.max)  # at every addition
        rows += sums.tolist()
    cycles = sparse_outer_cycles(gradients, lanes=skip.lanes, tiles=config.tiles, depth=skip.depth)
    idle = skip.beats * skip.lanes - skip.items
    given = np.pad(gradients, ((0, 0), (0, idle)), constant_values=skip.gradient.max)
    values = {"vectors": vectors} | ({"threshold": 0} if skip.threshold else {})
    return SparseCase(
        name=f"{name}_{skip.gradient}_{skip.items}x{config.inputs}_lanes{skip.lanes}"
        f"_by_{config.columns}_{config.source.format}_{fmt}",
        block=Tied(SparseOuterProduct(config), values),
        given=_words(skip.gradient, skip.lanes, given),
        more_given={"x": _words(config.source.format, config.columns, padded)},
        expected=Words(format=fmt, lanes=config.columns, vectors=rows),
        due=cycles.outputs.tolist(),
        cycles=cycles if drains == 1 else None,
    )


def outer_cases() -> Iterator[SparseCase]:
    """`SparseOuterProduct`: sizes, sums that saturate, the same rows in successive vectors."""
    generator = np.random.default_rng(8)
    for k, (items, inputs, lanes, columns, depth) in enumerate(
        [
            *[(1, 1, 1, 1, 1), (4, 1, 4, 1, 4), (5, 4, 4, 2, 16), (16, 3, 4, 4, 2)],
            *[(17, 8, 8, 3, 3), (12, 6, 3, 6, 16), (33, 5, 7, 1, 5), (20, 20, 20, 8, 1)],
        ]
    ):
        fmt = (INT8, INT5)[k % 2]
        source = IntFormat(bits=(8, 4, 1)[k % 3], signed=k % 3 == 0)
        zero_point = int(generator.integers(source.min, source.max, endpoint=True))
        skip = ZeroSkipConfig(
            gradient=fmt, items=items, lanes=lanes, issue=1, depth=depth, threshold=k % 3 == 1
        )
        patterns = list(masks(items, lanes, k))
        # The same places again and again, at every distance: hazards of the memory.
        patterns += [[place == 0 for place in range(items)]] * 9
        patterns += [[place < 2 for place in range(items)]] * 5
        patterns += [[place == n % 2 for place in range(items)] for n in range(6)]
        patterns += [[place < 3 for place in range(items)]] * 4
        gradients = fill(iter(patterns[: len(patterns) // 2 * 2]), fmt, k)
        x = generator.integers(source.min, source.max, (len(gradients), inputs), endpoint=True)
        config = OuterConfig(
            skip=skip,
            inputs=inputs,
            columns=columns,
            source=Activation(format=source, scale=1.0, zero_point=zero_point),
            accumulator=IntFormat(bits=fmt.bits + source.bits + (5, 1, 0)[k % 3], signed=True),
        )
        yield outer_case(config, gradients, x, name=f"outer{k}")
        if k in (2, 5):
            yield outer_case(config, gradients, x, name=f"outer{k}_twice", drains=2)


def outer_mask_cases() -> Iterator[SparseCase]:
    """`SparseOuterProduct`: every zero mask of 12 gradients."""
    gradients = every_mask(12, INT5)
    x = np.random.default_rng(9).integers(-8, 7, (len(gradients), 3), endpoint=True)
    source = Activation(format=IntFormat(bits=4, signed=True), scale=1.0)
    skip = ZeroSkipConfig(gradient=INT5, items=12, lanes=4, issue=1, depth=2)
    config = OuterConfig(
        skip=skip,
        inputs=3,
        columns=2,
        source=source,
        accumulator=IntFormat(bits=12, signed=True),
    )
    yield outer_case(config, gradients, x, name="every_mask")


def backward_case(data: Pass, config: LstmBackwardConfig, *, name: str) -> SparseCase:
    """`LstmBackward`: every gradient of a batch, against the simulator."""
    gradient, result, lanes = data.gradient, data.result, config.lanes
    layer = gradient.layer
    hidden = np.roll(data.trace.activations, 1, axis=1)  # noise before the first step

    def padded(values: IntArray, columns: int) -> IntArray:
        return np.pad(values, ((0, 0), (0, -values.shape[1] % columns)))

    def sums(values: IntArray, columns: int) -> Words:
        return _words(gradient.accumulator, columns, values)

    vectors = len(data.x) * data.steps
    cycles = lstm_backward_cycles(
        gradient,
        result.dnet,
        lanes=lanes,
        dh_rows=config.dh_rows,
        dx_rows=config.dx_rows,
        dU_columns=config.dU_columns,
        dW_columns=config.dW_columns,
        depth=config.depth,
        dsp=config.dsp,
    )
    dh, dU, dW = gradient.dh.format, config.dU_columns, config.dW_columns
    return SparseCase(
        name=f"{name}_{layer.inputs}to{layer.cells}_lanes{lanes}_rows{config.dh_rows}"
        f"_{config.dx_rows}_columns{dU}_{dW}",
        block=Tied(LstmBackward(config), _registers(data) | {"vectors": vectors}),
        given=_stored(data, lanes),
        more_given={
            "dy": _words(dh, lanes, backwards(data.dy)),
            "x": _words(layer.input.format, dW, padded(backwards(data.x), dW)),
            "h": _words(layer.output.format, dU, padded(backwards(hidden), dU)),
        },
        output="dx",
        expected=_words(gradient.dx.format, lanes, padded(backwards(result.dx), lanes)),
        more_expected={
            "dh0": _words(dh, lanes, result.dh0),
            "dW": sums(result.dW, dW),
            "dU": sums(result.dU, dU),
            "db": sums(result.db[:, None], 1),
        },
        watched={"dnet": _words(gradient.dnet.format, 4 * lanes, backwards(result.dnet))},
        due=cycles.outputs.tolist(),
        cycles=cycles,
    )


def backward_cases() -> Iterator[SparseCase]:
    """`LstmBackward`: every mode, foldings that do not fit, sums that saturate."""
    for k, rounding in enumerate(ROUNDINGS):
        inputs, lanes, beats, steps, count = [
            *[(3, 1, 4, 4, 2), (5, 2, 4, 2, 3), (7, 1, 8, 3, 2)],
            *[(2, 1, 8, 1, 4), (9, 1, 4, 5, 1), (4, 2, 4, 4, 2)],
        ][k]
        cells = lanes * beats
        data = random_pass(40 + k, rounding, inputs=inputs, cells=cells, steps=steps, count=count)
        config = LstmBackwardConfig(
            gradient=data.gradient,
            lanes=lanes,
            dh_rows=(lanes, cells, 3)[k % 3],
            dx_rows=(2, 1, inputs)[k % 3],
            dU_columns=(1, cells, 5)[k % 3],
            dW_columns=(inputs, 2, 3)[k % 3],
            dsp=k % 2 == 0,
        )
        yield backward_case(data, config, name=f"layer{k}_{rounding_name(rounding)}")


def text_config(data: Pass, *, macs: int = 16) -> LstmBackwardConfig:
    """Folding of a shipped network's layer: as many MACs for each of the four products."""
    return LstmBackwardConfig(
        gradient=data.gradient,
        lanes=4,
        dh_rows=macs,
        dx_rows=macs,
        dU_columns=macs,
        dW_columns=macs,
    )


def backward_text_cases() -> Iterator[SparseCase]:
    """`LstmBackward` on whole sequences of text."""
    for model, rounding in (
        ("charlm-lstm-int8", Rounding.TIES_EVEN),
        ("charlm-lstm-ternary", Stochastic(seed=7)),
    ):
        data = text_pass(model, count=2, steps=50, threshold=2, rounding=rounding)
        yield backward_case(data, text_config(data), name=model.replace("-", "_"))


def rounding_name(rounding: Rounding | Stochastic) -> str:
    """A word for a report."""
    return "stochastic" if isinstance(rounding, Stochastic) else str(rounding)


def gate_cases() -> Iterator[SparseCase]:
    """`GateGradient`: every mode, random formats, lanes; sequences of one step and of many."""
    for k, rounding in enumerate(ROUNDINGS):
        lanes, beats, steps, count = [
            *[(1, 4, 5, 3), (2, 4, 1, 6), (1, 12, 4, 2)],
            *[(3, 8, 3, 2), (4, 4, 3, 3), (2, 8, 4, 3)],
        ][k]
        cells = lanes * beats
        data = random_pass(k, rounding, inputs=2, cells=cells, steps=steps, count=count)
        yield gate_case(data, lanes=lanes, name=f"gate{k}_{rounding_name(rounding)}")


def gate_text_cases() -> Iterator[SparseCase]:
    """`GateGradient` on whole sequences of text."""
    for model, rounding in (
        ("charlm-lstm-int8", Rounding.TIES_EVEN),
        ("charlm-lstm-ternary", Stochastic(seed=7)),
    ):
        data = text_pass(model, count=1, steps=50, threshold=2, rounding=rounding)
        yield gate_case(data, lanes=4, name=model.replace("-", "_"))


BACKWARD: dict[str, Callable[[], Iterator[SparseCase]]] = {
    "units": lambda: chain(gate_cases(), outer_cases()),
    "gate_text": gate_text_cases,
    "outer_masks": outer_mask_cases,
    "layer": backward_cases,
    "layer_text": backward_text_cases,
}
"""Cases that sit side by side in one top module, by what they are about."""
