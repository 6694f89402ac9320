# amaranth: UnusedElaboratable=no
"""Configurations of the zero-skipping blocks, with expected words and predicted cycles.

Expected words come from dense arithmetic on Python integers, which knows nothing of skipping.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Component, In, Out

from fxsim.arithmetic import integers
from fxsim.arithmetic.formats import IntFormat, Overflow, Rounding
from fxsim.arithmetic.tensors import IntArray
from fxsim.hw.skip.pairs import ZeroSkipConfig
from fxsim.hw.skip.sparse_matvec import SparseMatVec, SparseMatVecConfig
from fxsim.hw.skip.zero_skip import ZeroSkipper
from fxsim.network import Activation, Tail
from fxsim.testbenches.bench.channel import Channel
from fxsim.testbenches.bench.words import Case, Words
from fxsim.testbenches.cases.sparse_data import every_mask, fill, gate_gradients, masks, thresholded
from fxsim.timing.lstm_gradient import BeatCycles
from fxsim.timing.skip_unit import (
    SkipCycles,
    sparse_matvec_cycles,
    sparse_matvec_latency,
    zero_skipper_cycles,
)

INT8, INT5 = IntFormat(bits=8, signed=True), IntFormat(bits=5, signed=True)
UINT4, INT2 = IntFormat(bits=4, signed=False), IntFormat(bits=2, signed=True)


@dataclass(frozen=True, kw_only=True)
class SparseCase(Case):
    """One configuration, and the cycles that are predicted for it, if they are."""

    cycles: SkipCycles | BeatCycles | None


def check_cycles(case: SparseCase, seen: Mapping[str, Any]) -> None:
    """Every beat in and out when it was predicted, for the transfers of a run without pauses."""
    if case.cycles is None:
        return
    start = seen["inputs"][0]
    names = ("accepted", "outputs", *case.more_expected)
    for name, times in zip(
        names, (seen["inputs"], seen["outputs"], *seen["more_outputs"]), strict=True
    ):
        predicted = getattr(case.cycles, name).tolist()
        assert [cycle - start for cycle in times] == predicted, f"{case.name}: {name}"


@dataclass(frozen=True, kw_only=True)
class Groups:
    """Groups of pairs on a stream, as lists of (value, index) for each group of each vector."""

    config: ZeroSkipConfig
    vectors: list[list[list[tuple[int, int]]]]

    def channel(self, name: str, port: str) -> Channel:
        """Channel at the stream ``port`` of the top module, a word of bits for each group."""
        bits, size = self.config.gradient.bits, self.config.pair.size
        words = []
        for groups in self.vectors:
            for k, group in enumerate(groups):
                word = (k == len(groups) - 1) << (self.config.issue * size)
                for lane, (value, index) in enumerate(group):
                    word |= (value & ((1 << bits) - 1) | index << bits) << (lane * size)
                words.append(word)
        return Channel(
            name=name,
            data=f"{port}__payload",
            valid=f"{port}__valid",
            ready=f"{port}__ready",
            lanes=1,
            stride=self.config.group.size,
            bits=self.config.group.size,
            signed=False,
            beats=1,
            words=words,
        )


class Stepped(Component):
    """A block whose threshold is ``step`` times the number of the vector, modulo 2**bits."""

    def __init__(self, block: Component, config: ZeroSkipConfig, step: int):
        self._block, self._config, self._step = block, config, step
        streams = dict(block.signature.members)
        super().__init__({"i": In(streams["i"].signature.flip()), "o": Out(streams["o"].signature)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.block = block = self._block
        beat = Signal(range(max(self._config.beats, 2)))
        ends = beat == self._config.beats - 1
        wiring.connect(m, wiring.flipped(self.i), block.i)
        wiring.connect(m, block.o, wiring.flipped(self.o))
        threshold = Signal(self._config.magnitude)
        m.d.comb += block.threshold.eq(threshold)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += beat.eq(Mux(ends, 0, beat + 1))
            with m.If(ends):
                m.d.sync += threshold.eq(threshold + self._step)
        return m


def _beats(gradients: IntArray, config: ZeroSkipConfig, seed: int) -> Words:
    """Gradients with noise in the lanes beyond the end of a vector."""
    generator = random.Random(seed)
    fmt, idle = config.gradient, config.beats * config.lanes - config.items
    vectors = [
        [*vector, *(generator.randint(fmt.min, fmt.max) for _ in range(idle))]
        for vector in gradients.tolist()
    ]
    return Words(format=fmt, lanes=config.lanes, vectors=vectors)


def _groups(vector: list[int], issue: int) -> list[list[tuple[int, int]]]:
    pairs = [(value, index) for index, value in enumerate(vector) if value]
    return [pairs[k : k + issue] for k in range(0, len(pairs), issue)] or [[]]


def skipper_case(config: ZeroSkipConfig, gradients: IntArray, *, step: int = 0) -> SparseCase:
    """`ZeroSkipper` on gradients."""
    block = ZeroSkipper(config)
    kept = thresholded(gradients, config.gradient, step) if config.threshold else gradients
    cycles = zero_skipper_cycles(kept, lanes=config.lanes, issue=config.issue, depth=config.depth)
    return SparseCase(
        name=f"skip_{config.gradient}_{config.items}_lanes{config.lanes}_issue{config.issue}"
        f"_depth{config.depth}{'_threshold' * config.threshold}",
        block=Stepped(block, config, step) if config.threshold else block,
        given=_beats(gradients, config, 1),
        expected=Groups(
            config=config, vectors=[_groups(vector, config.issue) for vector in kept.tolist()]
        ),
        due=cycles.outputs.tolist(),
        cycles=cycles,
    )


def matvec_case(config: SparseMatVecConfig, gradients: IntArray, *, step: int = 0) -> SparseCase:
    """`SparseMatVec` on gradients, against the dense product."""
    skip, tail = config.skip, config.tail
    block = SparseMatVec(config)
    kept = thresholded(gradients, skip.gradient, step) if skip.threshold else gradients
    accumulators = kept @ config.weights  # int64 is exact: the accumulators are narrower
    multipliers = tail.multiplier.tolist()
    if len(multipliers) == 1:
        multipliers *= config.outputs
    expected = [
        [
            integers.requantize(
                accumulator,
                multiplier=multiplier,
                shift=tail.shift,
                zero_point=config.output.zero_point,
                fmt=config.output.format,
                rounding=tail.rounding,
                mode=tail.overflow,
                relu=tail.relu,
            )
            for accumulator, multiplier in zip(vector, multipliers, strict=True)
        ]
        for vector in accumulators.tolist()
    ]
    cycles = sparse_matvec_cycles(
        kept,
        lanes=skip.lanes,
        issue=skip.issue,
        tiles=config.tiles,
        depth=skip.depth,
        latency=sparse_matvec_latency(
            issue=skip.issue,
            weight=config.weight,
            dsp=config.dsp,
            multiplier_bits=tail.multiplier_bits,
            per_channel=config.requantizing.per_channel,
        ),
    )
    return SparseCase(
        name=f"matvec_{skip.gradient}_{skip.items}x{config.outputs}_lanes{skip.lanes}"
        f"_by_{config.rows}x{skip.issue}_{config.weight}{'_dsp' * config.dsp}"
        f"{'_channel' * config.requantizing.per_channel}{'_threshold' * skip.threshold}",
        block=Stepped(block, skip, step) if skip.threshold else block,
        given=_beats(gradients, skip, 2),
        expected=Words(
            format=config.output.format,
            lanes=config.rows,
            vectors=expected,
            pad=config.output.zero_point,
        ),
        due=cycles.outputs.tolist(),
        cycles=cycles,
    )


def skipper_cases() -> Iterator[SparseCase]:
    """`ZeroSkipper`: sizes, queues down to one beat, thresholds that change between vectors."""
    for k, (items, lanes, issue, depth) in enumerate(
        [
            *[(1, 1, 1, 1), (1, 4, 2, 4), (5, 4, 4, 16), (16, 4, 1, 16), (16, 4, 2, 3)],
            *[(17, 4, 3, 1), (19, 8, 1, 16), (23, 8, 4, 2), (64, 8, 8, 16), (7, 1, 1, 5)],
            *[(13, 5, 2, 4), (33, 3, 3, 7), (50, 7, 5, 8), (2, 8, 1, 2), (61, 16, 2, 64)],
        ]
    ):
        fmt = (INT8, INT5, UINT4, INT2)[k % 4]
        config = ZeroSkipConfig(
            gradient=fmt, items=items, lanes=lanes, issue=issue, depth=depth, threshold=k % 3 != 2
        )
        yield skipper_case(config, fill(masks(items, lanes, k), fmt, k), step=k % 5)


def matvec_config(
    skip: ZeroSkipConfig,
    *,
    outputs: int,
    rows: int,
    seed: int,
    levels: int = 255,
    per_channel: bool = False,
    dsp: bool = True,
) -> SparseMatVecConfig:
    """Random weights, with a row of equal extremes that reaches the accumulator's bound."""
    generator = random.Random(seed)
    weight = IntFormat.for_levels(levels)
    weights = [
        [generator.randint(weight.min, weight.max) for _ in range(outputs)]
        for _ in range(skip.items)
    ]
    for row in weights:
        row[0] = weight.max
    bits = generator.choice([0, 8])
    count = outputs if per_channel else 1
    multiplier = [generator.randrange(1 << bits) if bits else 1 for _ in range(count)]
    output = IntFormat(bits=generator.choice([8, 12]), signed=True)
    return SparseMatVecConfig(
        skip=skip,
        rows=rows,
        weight=weight,
        weights=np.array(weights),
        tail=Tail(
            multiplier=np.array(multiplier),
            multiplier_bits=bits,
            shift=generator.randint(0, 8) + bits,
            rounding=generator.choice(list(Rounding)),
            overflow=generator.choice(list(Overflow)),
        ),
        output=Activation(format=output, scale=1.0, zero_point=generator.choice([0, -3])),
        dsp=dsp,
    )


def matvec_cases() -> Iterator[SparseCase]:
    """`SparseMatVec`: foldings, cells, formats; outputs that ``rows`` does not divide."""
    for k, (items, outputs, lanes, rows, issue) in enumerate(
        [
            *[(1, 1, 1, 1, 1), (16, 4, 4, 4, 1), (16, 8, 4, 2, 2), (17, 5, 4, 2, 3)],
            *[(20, 7, 8, 3, 4), (33, 3, 3, 4, 3), (12, 6, 2, 1, 1), (40, 4, 8, 4, 8)],
            *[(9, 9, 9, 4, 5), (64, 4, 16, 2, 2)],
        ]
    ):
        fmt = (INT8, UINT4, INT5, INT2)[k % 4]
        skip = ZeroSkipConfig(
            gradient=fmt, items=items, lanes=lanes, issue=issue, depth=1 + k, threshold=k % 2 == 1
        )
        config = matvec_config(
            skip,
            outputs=outputs,
            rows=rows,
            seed=k,
            levels=(255, 3, 15)[k % 3],
            per_channel=k % 3 == 1,
            dsp=k % 4 < 2,
        )
        yield matvec_case(config, fill(masks(items, lanes, k), fmt, k), step=k % 4)


def exhaustive_cases() -> Iterator[SparseCase]:
    """Every zero mask of 12 values, which are three beats, through both units."""
    skip = ZeroSkipConfig(gradient=INT5, items=12, lanes=4, issue=2, depth=2)
    gradients = every_mask(skip.items, INT5)
    yield skipper_case(skip, gradients)
    yield matvec_case(matvec_config(skip, outputs=5, rows=3, seed=12, levels=15), gradients)


def folded_config(rows: int, issue: int) -> SparseMatVecConfig:
    """The hidden-state product of 64 LSTM cells: 256 gate gradients, 64 outputs."""
    skip = ZeroSkipConfig(gradient=INT8, items=256, lanes=16, issue=issue)
    return matvec_config(skip, outputs=64, rows=rows, seed=64)


def gate_gradient_cases(density: float) -> Iterator[SparseCase]:
    """`SparseMatVec` of 16 and 64 MACs on life-like gate gradients."""
    gradients = gate_gradients(density, vectors=30, items=256, seed=64)
    for rows in (16, 64):
        yield replace(matvec_case(folded_config(rows, 1), gradients), name=f"macs{rows}")


SPARSE: dict[str, Callable[[], Iterator[SparseCase]]] = {
    "units": lambda: chain(skipper_cases(), matvec_cases()),
    "every_mask": exhaustive_cases,
    "sparsity80": lambda: gate_gradient_cases(0.2),
    "sparsity95": lambda: gate_gradient_cases(0.05),
}
"""Cases that sit side by side in one top module, by what they are about."""
