"""Commands of a zero-skipping unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fxsim.network.skip_unit import SkipProduct, SkipUnit
    from fxsim.testbenches.run import Bench
    from fxsim.testbenches.units import UnitRun


@dataclass(frozen=True)
class ZeroSkipCommands:
    """`fxsim.cli.units.UnitCommands` of a zero-skipping unit."""

    unit: SkipUnit
    against = "dense arithmetic"

    def runs(
        self, most: Mapping[str, int], vectors: int | None, seed: int, folder: Path, bench: Bench
    ) -> list[UnitRun]:
        """Hard patterns of zeros, then life-like gradients."""
        import numpy as np

        from fxsim.testbenches import skip_unit
        from fxsim.testbenches.cases.sparse_data import fill, gate_gradients, masks

        unit = self.unit
        hard = fill(masks(unit.items, unit.lanes, seed), unit.gradient, seed)
        count = max(vectors or most[name] for name in most)
        alike = gate_gradients(0.2, vectors=count, items=unit.items, seed=seed)
        alike = alike.clip(unit.gradient.min, unit.gradient.max)
        stimuli = np.concatenate([hard, alike])
        return skip_unit.verify_unit(
            unit,
            vectors={name: stimuli[: vectors or len(hard) + most[name]] for name in most},
            threshold=min(1, unit.gradient.max),
            seed=seed,
            folder=folder,
            bench=bench,
        )

    def facts(self) -> dict[str, Any]:
        """Sizes and formats."""
        unit, product = self.unit, self.unit.product
        facts: dict[str, Any] = {
            "name": unit.name,
            "kind": "zero-skip",
            "gradient": str(unit.gradient),
            "items": unit.items,
            "lanes": unit.lanes,
            "issue": unit.issue,
            "depth": unit.depth,
        }
        return facts if product is None else facts | _product_facts(unit, product)


def _product_facts(unit: SkipUnit, product: SkipProduct) -> dict[str, Any]:
    from fxsim.network.skip_unit import product_accumulator

    accumulator = product_accumulator(
        product.weights, product.weight, unit.gradient, loadable=product.loadable
    )
    return {
        "outputs": product.outputs,
        "rows": product.rows,
        "weights": str(product.weight),
        "loaded": product.loadable,
        "accumulator": str(accumulator),
        "output": str(product.output.format),
        "weight_bits": product.tiles * product.rows * unit.items * product.weight.bits,
    }
