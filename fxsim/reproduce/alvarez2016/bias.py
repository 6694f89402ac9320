"""Bias error of three ways to round, on random matrices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fxsim.network import FloatArray


@dataclass(frozen=True, kw_only=True)
class Bias:
    """Errors of one way to round: of a value, mean and standard deviation of matrices in steps;
    of dot products, mean and root mean square relative to the results.
    """

    steps: int
    terms: int
    scheme: str
    value: float
    dot: float
    rms: float


SCHEMES = ("consistent", "inconsistent", "truncated")


def recover(values: FloatArray, steps: int, scheme: str) -> FloatArray:
    """A matrix after quantization to 0 .. ``steps`` and recovery, by one of `SCHEMES`."""
    low, high = values.min(), values.max()
    factor = steps / (high - low)

    def whole(x: FloatArray) -> FloatArray:
        return np.asarray(np.floor(x + 0.5))

    recovered: FloatArray
    if scheme == "consistent":
        stored = whole(factor * values) - whole(factor * low)
        recovered = (stored + whole(factor * low)) / factor
    elif scheme == "inconsistent":
        recovered = (whole(factor * (values - low)) + whole(factor * low)) / factor
    else:
        recovered = np.floor(factor * (values - low)) / factor + low
    return recovered


def bias(steps: int, terms: int, matrices: int = 60) -> list[Bias]:
    """Errors of the three ways to round, over random matrices."""
    rng = np.random.default_rng(steps * terms)
    errors: dict[str, list[list[float]]] = {scheme: [] for scheme in SCHEMES}
    for _ in range(matrices):
        values = rng.normal(0, 1, (64, terms)) * rng.uniform(0.5, 2) + rng.normal(0, 0.1)
        x = np.abs(rng.normal(0, 1, terms))
        exact = values @ x
        size = float(np.sqrt(np.square(exact).mean()))
        step = (values.max() - values.min()) / steps
        for scheme in SCHEMES:
            found = recover(values, steps, scheme)
            dots = (found @ x - exact) / size
            errors[scheme].append(
                [
                    abs(float((found - values).mean())) / step,
                    abs(float(dots.mean())),
                    float(np.sqrt(np.square(dots).mean())),
                ]
            )
    means = {scheme: np.mean(rows, axis=0).tolist() for scheme, rows in errors.items()}
    return [
        Bias(steps=steps, terms=terms, scheme=scheme, value=value, dot=dot, rms=rms)
        for scheme, (value, dot, rms) in means.items()
    ]
