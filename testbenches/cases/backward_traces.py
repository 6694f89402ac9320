# amaranth: UnusedElaboratable=no
"""The backward pass on the recorded traces of a training: early, middle, late."""

from __future__ import annotations

from collections.abc import Iterator

from fxsim.simulator import gradient_traces
from fxsim.testbenches.cases.backward import backward_case, text_config
from fxsim.testbenches.cases.backward_data import Pass
from fxsim.testbenches.cases.sparse import SparseCase


def recorded_pass(stage: str, *, count: int, steps: int) -> Pass:
    """The first ``count`` sequences of a trace, cut to their first ``steps`` steps."""
    trace = gradient_traces.load(stage)
    x, dy = trace.x[:count, :steps], trace.dy[:count, :steps]
    cut = gradient_traces.run(stage, trace.step, trace.network, trace.gradient, x, dy)
    return Pass(gradient=trace.gradient, trace=cut.forward, x=x, dy=dy)


def recorded_cases(*, count: int, steps: int, macs: int = 16) -> Iterator[SparseCase]:
    """`LstmBackward` at each stage, side by side."""
    for stage in gradient_traces.STAGES:
        data = recorded_pass(stage, count=count, steps=steps)
        yield backward_case(data, text_config(data, macs=macs), name=stage)
