"""Networks that reproduce Alvarez et al. 2016, quickly and fully."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from fxsim.data import Dataset
from fxsim.reproduce.alvarez2016.run import compare


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One network, with or without a recurrent projection.

    ``activations`` are those of the training that knows of quantization
    (`fxsim.spec.train.RetrainSpec`).
    """

    kind: ClassVar[str] = "text"

    cells: int
    projection: int | None = None
    seed: int = 1
    epochs: int = 2
    extra: int = 1
    activations: str = "on_the_fly"

    @property
    def name(self) -> str:
        """In the store."""
        return f"{self.label.replace(' ', '-')}-seed{self.seed}"

    @property
    def label(self) -> str:
        """In tables."""
        return f"{self.cells}" + (f" P{self.projection}" if self.projection else "")

    def run(self, dataset: Dataset) -> dict[str, Any]:
        """Bits per character, by training and word length."""
        return compare(
            dataset,
            cells=self.cells,
            projection=self.projection,
            seed=self.seed,
            epochs=self.epochs,
            extra=self.extra,
            activations=self.activations,
        )


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All networks."""

    recipes: Sequence[Recipe]


QUICK = Plan(
    recipes=[
        Recipe(cells=64, seed=1),
        Recipe(cells=64, seed=2),
        Recipe(cells=128),
        Recipe(cells=128, projection=48),
    ]
)
FULL = Plan(
    recipes=[
        Recipe(cells=cells, projection=projection, epochs=6, extra=3)
        for cells, projection in ((64, None), (128, None), (256, None), (128, 48), (256, 96))
    ]
)
