"""Networks that reproduce Shin et al. 2017, quickly and fully."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from fxsim.data import Dataset
from fxsim.reproduce import classifier, language
from fxsim.reproduce.shin2017.run import SCHEMES, Parameters, Task, retraining
from fxsim.simulator.evaluate import float_bits_per_character
from fxsim.spec.specification import NetworkSpec


@dataclass(frozen=True, kw_only=True)
class Frames:
    """A feed-forward network with two hidden layers."""

    kind: ClassVar[str] = "frames"

    units: int
    seed: int
    batch_norm: bool = False
    bits: tuple[int, ...] = (2, 3)
    gradual: bool = False
    epochs: int = 6
    extra: int = 4

    @property
    def name(self) -> str:
        """In the store."""
        return f"frames-{self.units}{'-bn' if self.batch_norm else ''}-seed{self.seed}"

    @property
    def label(self) -> str:
        """In tables."""
        return f"{self.units} units" + (", batch norm." if self.batch_norm else "")

    def run(self, dataset: Dataset) -> dict[str, Any]:
        """Errors in percent by scheme."""
        dataset, optimizer = classifier.flat(dataset), {"lr": 0.02, "momentum": 0.9}
        hidden = [self.units] * 2
        task = Task(
            make=partial(classifier.feed_forward, dataset, hidden, batch_norm=self.batch_norm),
            dataset=dataset,
            common={"batch": 128, "dropout": 0.2, "seed": self.seed},
            base={"optimizer": optimizer, "epochs": self.epochs, "final_lr": 0.025},
            optimizer=optimizer | {"lr": 0.005},
            epochs=self.extra,
            final_lr=0.05,
            score=partial(classifier.error, dataset=dataset),
            in_integers=partial(classifier.in_integers, dataset=dataset),
        )
        return retraining(task, self.bits, SCHEMES, gradual=self.gradual)


@dataclass(frozen=True, kw_only=True)
class Images:
    """A convolutional network; ``train`` and ``test`` are how many samples it sees."""

    kind: ClassVar[str] = "images"

    title: str
    maps: tuple[int, ...]
    units: tuple[int, ...]
    seed: int
    padding: int = 2
    bits: tuple[int, ...] = (2, 3)
    gradual: bool = False
    epochs: int = 8
    extra: int = 3
    train: int = 6000
    test: int = 3000

    @property
    def name(self) -> str:
        """In the store."""
        return f"images-{self.title.split()[0]}-seed{self.seed}"

    @property
    def label(self) -> str:
        """In tables."""
        return self.title

    def run(self, dataset: Dataset) -> dict[str, Any]:
        """Errors in percent by scheme."""
        dataset = classifier.first(dataset, self.train, self.test)
        optimizer = {"type": "adam", "lr": 0.0015}
        task = Task(
            make=partial(
                classifier.convolutional, dataset, self.maps, self.units, padding=self.padding
            ),
            dataset=dataset,
            common={"batch": 64, "seed": self.seed},
            base={"optimizer": optimizer, "epochs": self.epochs, "final_lr": 0.05},
            optimizer=optimizer | {"lr": 2e-4},
            epochs=self.extra,
            final_lr=0.1,
            score=partial(classifier.error, dataset=dataset),
            in_integers=partial(classifier.in_integers, dataset=dataset, samples=1000),
        )
        return retraining(task, self.bits, ("fixed", "first"), gradual=self.gradual)


@dataclass(frozen=True, kw_only=True)
class Text:
    """A character language model."""

    kind: ClassVar[str] = "text"

    cells: int
    bits: tuple[int, ...] = (2, 3, 4)
    seed: int = 1
    epochs: int = 2
    extra: int = 1

    @property
    def name(self) -> str:
        """In the store."""
        return f"text-{self.cells}-seed{self.seed}"

    @property
    def label(self) -> str:
        """In tables."""
        return f"{self.cells} cells"

    def run(self, dataset: Dataset) -> dict[str, Any]:
        """Bits per character by scheme."""
        optimizer = {"type": "adam", "lr": 0.008}

        def score(spec: NetworkSpec, parameters: Parameters) -> float:
            return float_bits_per_character(spec, parameters, dataset.test)

        task = Task(
            make=partial(language.language_model, dataset, self.cells),
            dataset=dataset,
            common={"batch": 16, "steps": 48, "clip": 1.0, "seed": self.seed},
            base={"optimizer": optimizer, "epochs": self.epochs, "final_lr": 0.25},
            optimizer=optimizer | {"lr": 0.002},
            epochs=self.extra,
            final_lr=0.17,
            score=score,
            in_integers=partial(language.in_integers, dataset=dataset),
        )
        return retraining(task, self.bits, ("fixed", "first"), gradual=False)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Networks of the three kinds."""

    frames: tuple[Frames, ...]
    images: tuple[Images, ...]
    text: tuple[Text, ...]

    @property
    def recipes(self) -> Sequence[Frames | Images | Text]:
        """Every network, the first seeds of all before the second."""
        found: list[Frames | Images | Text] = [*self.frames, *self.images, *self.text]
        return sorted(found, key=lambda recipe: recipe.seed)


def lenet(seed: int, **changes: Any) -> Images:
    """The paper's network L: LeNet-5, here for colours."""
    return Images(
        title="L (6-16, 120-84)", maps=(6, 16), units=(120, 84), padding=0, seed=seed, **changes
    )


def small(seed: int, **changes: Any) -> Images:
    """In place of the paper's network C, a quarter as wide."""
    return Images(title="C (8-8-16, 64)", maps=(8, 8, 16), units=(64,), seed=seed, **changes)


QUICK = Plan(
    frames=(
        *(Frames(units=32, seed=seed) for seed in (1, 2, 3)),
        *(Frames(units=32, seed=seed, batch_norm=True) for seed in (1, 2, 3)),
        *(Frames(units=64, seed=seed, gradual=True) for seed in (1, 2)),
    ),
    images=(*(lenet(seed, gradual=seed < 3) for seed in (1, 2, 3)), small(1)),
    text=(Text(cells=32), Text(cells=64)),
)
_LONG: dict[str, Any] = {
    "epochs": 30,
    "extra": 10,
    "train": 1 << 20,
    "test": 1 << 20,
    "bits": (2, 3, 4),
}
FULL = Plan(
    frames=tuple(
        Frames(
            units=units,
            seed=seed,
            batch_norm=batch_norm,
            gradual=units == 512 and not batch_norm,
            epochs=20,
            extra=12,
        )
        for units in (64, 128, 256, 512)
        for batch_norm in (False, True)
        for seed in (1, 2, 3)
    ),
    images=tuple(
        network
        for seed in (1, 2, 3)
        for network in (
            lenet(seed, gradual=True, **_LONG),
            Images(title="C (32-32-64, 64)", maps=(32, 32, 64), units=(64,), seed=seed, **_LONG),
        )
    ),
    text=tuple(Text(cells=cells, epochs=6, extra=3) for cells in (32, 64, 128, 256)),
)
