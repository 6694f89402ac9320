"""Exact cycles of a MAC array by itself, from its plan."""

from __future__ import annotations

from dataclasses import dataclass

from fxsim.arithmetic.tensors import IntArray
from fxsim.network.mac_unit import MacUnit
from fxsim.plan.mac_unit import plan_mac_unit
from fxsim.timing.beats import machine_of


@dataclass(frozen=True, kw_only=True, eq=False)
class MacCycles:
    """Cycles of a unit between a willing source and a ready sink.

    Parameters
    ----------
    accepted, outputs : int64 arrays
        Cycle of each beat that is taken in, and of each that leaves; the first is taken in cycle 0.
    latency : int
        From the first beat of a matrix, in an idle unit, to the last beat of its product.
    interval : int
        Between matrices that follow one another without a pause.
    """

    accepted: IntArray
    outputs: IntArray
    latency: int
    interval: int


def mac_unit_cycles(unit: MacUnit, matrices: int) -> MacCycles:
    """Cycles of a number of matrices, 1 or more."""
    plan = plan_mac_unit(unit)
    machine, _ = machine_of(plan, watched=True)
    flow = machine.run(matrices + 1)
    taken, given = plan.input.count, plan.output.count
    # The source offers a beat in the cycle after the one before was taken.
    accepted = flow.words(1, matrices * taken + 1)[1:] - 1 - flow.first
    outputs = flow.words(0, matrices * given) - flow.first
    return MacCycles(
        accepted=accepted,
        outputs=outputs,
        latency=int(outputs[given - 1]),
        interval=machine.repeat().interval,
    )
