"""Commands of a MAC array by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fxsim.network.mac_unit import MacUnit
    from fxsim.testbenches.run import Bench
    from fxsim.testbenches.units import UnitRun


@dataclass(frozen=True)
class MacArrayCommands:
    """`fxsim.cli.units.UnitCommands` of a MAC array."""

    unit: MacUnit
    against = "the reference"

    def runs(
        self, most: Mapping[str, int], vectors: int | None, seed: int, folder: Path, bench: Bench
    ) -> list[UnitRun]:
        """Vectors that are hard on sums, then random ones."""
        import numpy as np

        from fxsim.testbenches.mac_unit import hard_vectors, random_vectors, verify_mac_unit

        hard = hard_vectors(self.unit, seed)
        count = max(vectors or most[name] for name in most)
        stimuli = np.concatenate([hard, random_vectors(self.unit, count, seed)])
        return verify_mac_unit(
            self.unit,
            vectors={name: stimuli[: vectors or len(hard) + most[name]] for name in most},
            seed=seed,
            folder=folder,
            bench=bench,
        )

    def facts(self) -> dict[str, Any]:
        """Sizes, formats, memories and cycles."""
        from fxsim.plan.mac_unit import array_of, plan_mac_unit
        from fxsim.plan.memories import memories
        from fxsim.timing.mac_unit import mac_unit_cycles

        unit, layer, content = self.unit, self.unit.layer, array_of(self.unit).content
        cycles, plan = mac_unit_cycles(unit, 1), plan_mac_unit(unit)
        return {
            "name": unit.name,
            "kind": "mac-array",
            "outputs": layer.outputs,
            "inputs": layer.inputs,
            "rows": layer.folding.rows,
            "simd": layer.folding.simd,
            "columns": unit.columns,
            "cells": unit.cells,
            "multipliers": unit.cells if layer.code.multiplies else 0,
            "activation": str(layer.input.format),
            "weights": str(layer.code),
            "loaded": unit.loadable,
            "accumulator": str(layer.accumulator.format),
            "overflow": str(layer.accumulator.mode),
            "output": str(layer.output.format),
            "output_lanes": plan.output.beat.lanes,
            "weight_memory": f"{content.style}, {content.depth} x {content.width}",
            "weight_bits": content.bits,
            "memory_bits": sum(memory.bits for memory in memories(plan)),
            "latency": cycles.latency,
            "interval": cycles.interval,
        }
