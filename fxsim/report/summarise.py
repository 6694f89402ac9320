"""A network, its trace, and what tools found -> `Results`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fxsim.explorer.sweep import SweepRow
from fxsim.network import QuantizedAdd, QuantizedLinear, QuantizedNetwork
from fxsim.network.storage import network_hash
from fxsim.plan.memories import memories
from fxsim.plan.planner import Plan, plan_network, queues_of
from fxsim.report.results import (
    Accuracy,
    AddSummary,
    Area,
    LayerSummary,
    PoolSummary,
    Regression,
    Results,
    Values,
)
from fxsim.simulator.evaluate import weight_memory_bits
from fxsim.simulator.trace import LayerTrace, Trace, span
from fxsim.timing.cycles import load, predict


def summarise(
    network: QuantizedNetwork,
    trace: Trace,
    *,
    accuracy: Accuracy,
    regressions: Iterable[Any] = (),
    areas: Iterable[Any] = (),
    sweep: Iterable[SweepRow] = (),
    versions: Mapping[str, str] | None = None,
    seconds: Mapping[str, float] | None = None,
    commands: Mapping[str, str] | None = None,
) -> Results:
    """Collect results.

    Parameters
    ----------
    trace : Trace
        Trace of ``network`` on the samples whose ranges and counts are to be shown.
    regressions, areas
        Objects with the attributes of `Regression` and `Area`.
    """
    cycles, plan = predict(network), plan_network(network)
    return Results(
        name=network.name,
        hash=network_hash(network),
        data=network.data,
        accuracy=accuracy,
        weight_memory_bits=weight_memory_bits(network),
        vectors=trace.samples,
        inputs={
            name: Values.of(source.activation.format, span(trace.inputs[name]))
            for name, source in network.inputs.items()
        },
        layers=tuple(map(_summary, network.linears, trace.linears)),
        adds=tuple(_add_summary(network, plan, add, trace[add.name]) for add in network.adds),
        cycles=cycles,
        memories=tuple(memories(plan)),
        pools=tuple(
            PoolSummary(
                name=pool.name,
                kernel=pool.windows.kernel,
                stride=pool.windows.stride,
                lanes=pool.lanes,
                interval=load(pool),
                utilisation=load(pool) / cycles.interval,
            )
            for pool in network.pools
        ),
        regressions=tuple(map(Regression.of, regressions)),
        areas=tuple(map(Area.of, areas)),
        sweep=tuple(sweep),
        versions=dict(versions or {}),
        seconds=dict(seconds or {}),
        commands=dict(commands or {}),
    )


def _summary(layer: QuantizedLinear, seen: LayerTrace) -> LayerSummary:
    return LayerSummary(
        name=layer.name,
        inputs=layer.inputs,
        outputs=layer.outputs,
        weight_format=str(layer.code),
        rows=layer.folding.rows,
        simd=layer.folding.simd,
        accumulator=Values.of(layer.accumulator.format, seen.accumulator_range),
        accumulator_mode=str(layer.accumulator.mode),
        output=None
        if layer.tail is None
        else Values.of(layer.output.format, seen.activation_range),
        **seen.counts,
    )


def _add_summary(
    network: QuantizedNetwork, plan: Plan, layer: QuantizedAdd, seen: LayerTrace
) -> AddSummary:
    return AddSummary(
        name=layer.name,
        sources=network.taken[layer.name],
        items=layer.inputs,
        lanes=layer.lanes,
        multipliers=layer.multipliers,
        shift=layer.tail.shift,
        accumulator=Values.of(layer.accumulator, seen.accumulator_range),
        output=Values.of(layer.output.format, seen.activation_range),
        clipped=seen.counts["clipped"],
        depths=network.depth_of(layer.name),
        queue_bits=sum(queue.bits for queue in queues_of(plan, layer.name)),
    )
