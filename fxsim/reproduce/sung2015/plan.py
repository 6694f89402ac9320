"""Networks that reproduce Sung et al. 2015, quickly and fully."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from fxsim.data import Dataset
from fxsim.reproduce.classifier import convolutional, feed_forward, first, flat
from fxsim.reproduce.sung2015.run import resiliency


@dataclass(frozen=True, kw_only=True)
class Frames:
    """A feed-forward network."""

    kind: ClassVar[str] = "frames"

    layers: int
    units: int
    seed: int = 1
    epochs: int = 6
    extra: int = 3

    @property
    def name(self) -> str:
        """In the store."""
        return f"{self.layers}x{self.units}-seed{self.seed}"

    @property
    def depth(self) -> int:
        """Hidden layers."""
        return self.layers

    @property
    def label(self) -> str:
        """In tables."""
        return str(self.units)

    @property
    def title(self) -> str:
        """Share of one network among all."""
        return f"{self.layers} x {self.units}"

    @property
    def width(self) -> int:
        """In figures."""
        return self.units

    def run(self, dataset: Dataset) -> dict[str, Any]:
        """Errors in percent, and the rest."""
        dataset = flat(dataset)
        optimizer = {"lr": 0.02, "momentum": 0.9}
        return resiliency(
            partial(feed_forward, dataset, [self.units] * self.layers),
            {"batch": 128, "dropout": 0.05, "seed": self.seed},
            {"optimizer": optimizer, "epochs": self.epochs, "final_lr": 0.025},
            {"optimizer": optimizer | {"lr": 0.005}, "epochs": self.extra, "final_lr": 0.05},
            dataset,
            samples=4000,
        )


@dataclass(frozen=True, kw_only=True)
class Images:
    """A convolutional network; ``train`` and ``test`` are how many samples it sees.

    Retraining starts at 2/15 of the learning rate ``lr``.
    """

    kind: ClassVar[str] = "images"

    maps: tuple[int, ...]
    seed: int = 1
    epochs: int = 8
    extra: int = 3
    train: int = 6000
    test: int = 3000
    lr: float = 0.0015

    @property
    def name(self) -> str:
        """In the store."""
        return f"{self.label}-seed{self.seed}"

    @property
    def depth(self) -> int:
        """Convolutions."""
        return len(self.maps)

    @property
    def label(self) -> str:
        """In tables."""
        return "-".join(map(str, self.maps))

    @property
    def title(self) -> str:
        """Share of one network among all."""
        return self.label

    @property
    def width(self) -> int:
        """In figures: maps of the last convolution."""
        return self.maps[-1]

    def run(self, dataset: Dataset) -> dict[str, Any]:
        """Errors in percent, and the rest."""
        dataset = first(dataset, self.train, self.test)
        optimizer = {"type": "adam", "lr": self.lr}
        return resiliency(
            partial(convolutional, dataset, self.maps, [64]),
            {"batch": 64, "seed": self.seed},
            {"optimizer": optimizer, "epochs": self.epochs, "final_lr": 0.05},
            {
                "optimizer": optimizer | {"lr": self.lr / 7.5},
                "epochs": self.extra,
                "final_lr": 0.1,
            },
            dataset,
            samples=1000,
        )


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All networks; those of greatest depth make up the rows of width."""

    frames: tuple[Frames, ...]
    images: tuple[Images, ...]

    @property
    def recipes(self) -> Sequence[Frames | Images]:
        """Every network."""
        return (*self.frames, *self.images)


def _frames(
    widths: dict[int, int], depths: tuple[int, ...], across: int, epochs: int, extra: int
) -> tuple[Frames, ...]:
    """Widths with the number of their seeds at the greatest depth; depths at one width."""
    wanted = [(max(depths), n, seed + 1) for n, seeds in widths.items() for seed in range(seeds)]
    wanted += [(layers, across, 1) for layers in depths]
    return tuple(
        Frames(layers=layers, units=units, seed=seed, epochs=epochs, extra=extra)
        for layers, units, seed in dict.fromkeys(wanted)
    )


SLOW = 2.5e-4
"""Learning rate of a single convolution: at the others', its 8192 features hardly learn."""


QUICK = Plan(
    frames=_frames({32: 2, 64: 2, 128: 1, 256: 1}, (1, 2, 3, 4), 128, 6, 3),
    images=(
        *(Images(maps=(4, 4, 8), seed=seed) for seed in (1, 2)),
        Images(maps=(8, 8, 16)),
        Images(maps=(16, 16, 32)),
        Images(maps=(16, 32)),
        Images(maps=(32,), lr=SLOW),
    ),
)
FULL = Plan(
    frames=_frames({32: 3, 64: 3, 128: 3, 256: 3, 512: 2, 1024: 1}, (1, 2, 3, 4), 512, 20, 10),
    images=tuple(
        Images(
            maps=maps,
            seed=seed,
            epochs=30,
            extra=10,
            train=1 << 20,
            test=1 << 20,
            lr=SLOW if len(maps) == 1 else 0.0015,
        )
        for maps in ((8, 8, 16), (16, 16, 32), (32, 32, 64), (64, 64, 128), (32, 64), (64,))
        for seed in (1, 2, 3)
    ),
)
