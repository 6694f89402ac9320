"""Networks that reproduce Tu et al. 2016, quickly and fully."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from fxsim.data import Dataset
from fxsim.reproduce.classifier import convolutional, feed_forward, first, flat
from fxsim.reproduce.tu2016.run import study
from fxsim.spec.specification import NetworkSpec


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One network: a fully connected one, or a convolutional one if there are ``maps``."""

    kind: ClassVar[str] = "images"

    title: str
    maps: tuple[int, ...] = ()
    kernel: int = 5
    hidden: tuple[int, ...]
    seed: int = 1
    epochs: int = 6
    dropout: float = 0.3
    train: int = 20_000

    @property
    def name(self) -> str:
        """In the store."""
        return f"{self.title.lower().replace(' ', '-')}-seed{self.seed}"

    def run(self, dataset: Dataset) -> dict[str, Any]:
        """Accuracy and loss, by what was done to the network."""
        seen = first(dataset if self.maps else flat(dataset), self.train, 1 << 30)
        train = {
            "batch": 64,
            "dropout": self.dropout,
            "seed": self.seed,
            "optimizer": {"type": "adam", "lr": 0.001},
            "epochs": self.epochs,
            "final_lr": 1.0,
        }

        def make(levels: int) -> NetworkSpec:
            if not self.maps:
                return feed_forward(seen, self.hidden, levels, train, signed=False)
            options = {"kernel": self.kernel, "padding": 0}
            return convolutional(seen, self.maps, self.hidden, levels, train, **options)  # type: ignore[arg-type]

        return study(make, seen, samples=2000)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All networks."""

    recipes: Sequence[Recipe]


def _full(seed: int, epochs: int) -> Recipe:
    """585,738 parameters; the paper's fully connected part has 591,242."""
    return Recipe(title="Fully connected", hidden=(640, 128), seed=seed, epochs=epochs)


def _lenet(seed: int, epochs: int, train: int) -> Recipe:
    """LeNet-5 on 28 x 28 pixels."""
    return Recipe(
        title="LeNet",
        maps=(6, 16),
        hidden=(120, 84),
        seed=seed,
        epochs=epochs,
        dropout=0.1,
        train=train,
    )


QUICK = Plan(
    recipes=[recipe for seed in (1, 2, 3) for recipe in (_full(seed, 6), _lenet(seed, 8, 10_000))]
)
FULL = Plan(
    recipes=[
        *(_full(seed, 50) for seed in range(1, 6)),
        *(_lenet(seed, 50, 1 << 20) for seed in range(1, 6)),
    ]
)
