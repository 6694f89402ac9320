"""Claims of Shin et al. 2017, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fxsim.reproduce.experiment import Trend, spread

Run = Mapping[str, Any]
Rows = Mapping[str, Sequence[Run]]
"""Seeds of each network, by its label."""

BPC = {2: (8.46, 2.48, 2.42), 3: (7.18, 2.52, 2.35), 4: (4.49, 2.43, 2.32)}
"""Table 4, LSTM of 64 cells by bits: direct, conventional, adaptive."""

SVHN = {2: (45.68, 8.37, 8.01), 3: (10.14, 7.04, 6.92), 4: (7.85, 6.60, 6.46)}
"""Table 3, network L by bits: direct, conventional, adaptive."""


def schemes_of(run: Run) -> list[str]:
    """Schemes that a network was retrained by."""
    return list(dict.fromkeys(key.split("-")[0] for key in run["retrained"]))


def bits_of(run: Run) -> list[int]:
    """Word lengths that it was quantized to."""
    return [int(bits) for bits in run["direct"]]


def differences(runs: Sequence[Run], scheme: str, bits: int) -> list[float]:
    """Score of a scheme minus that of the conventional one, seed by seed."""
    key, base = f"{scheme}-{bits}", f"fixed-{bits}"
    return [float(run["retrained"][key] - run["retrained"][base]) for run in runs]


def trends(frames: Rows, images: Rows, text: Rows) -> list[Trend]:
    """All claims."""
    return [
        *_adaptive(frames, "43.73 to 42.06 % (64 units), with batch norm. 41.81 to 37.87 %"),
        *_batch_norm(frames),
        *_gradual(frames, "31.43 to 30.69 %", "30.69 against 30.61 %"),
        _steps(frames),
        *_direct(images),
        *_adaptive(images, "L: 8.37 to 8.01 %, C: 7.10 to 6.65 %"),
        *_gradual(images, "not tested", "not tested"),
        *_language(text),
    ]


def _below_noise(values: Sequence[float]) -> bool:
    """True if the mean is below 0 by more than its standard error."""
    if len(values) == 1:
        return values[0] < 0
    return float(np.mean(values) + np.std(values, ddof=1) / np.sqrt(len(values))) < 0


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _adaptive(rows: Rows, paper: str) -> list[Trend]:
    found = []
    for label, runs in rows.items():
        schemes = schemes_of(runs[0])[1:]
        for bits in bits_of(runs[0])[:2]:
            best = min(schemes, key=lambda scheme: _mean(differences(runs, scheme, bits)))
            points = differences(runs, best, bits)
            found.append(
                Trend(
                    claim=f"Adaptive steps beat a fixed one, {label}, {bits} bits",
                    paper=paper if bits == 2 else "better too",
                    here=f"{best}: {spread(points)} points, {len(points)} seeds, paired",
                    holds=_below_noise(points),
                )
            )
    return found


def _batch_norm(rows: Rows) -> list[Trend]:
    pairs = [
        (runs, rows[f"{label}, batch norm."])
        for label, runs in rows.items()
        if f"{label}, batch norm." in rows
    ]
    found = []
    for plain, normed in pairs:
        for what, key in (("float", None), ("2-bit", "fixed-2")):
            before, after = (
                [float(run["float"] if key is None else run["retrained"][key]) for run in runs]
                for runs in (plain, normed)
            )
            found.append(
                Trend(
                    claim=f"Batch normalisation improves the {what} network",
                    paper="34.38 to 33.82 %" if key is None else "43.73 to 41.81 % (64 units)",
                    here=f"{spread(before)} to {spread(after)} %",
                    holds=_mean(after) < _mean(before),
                )
            )
    return found


def _gradual(rows: Rows, straight: str, adaptive: str) -> list[Trend]:
    found = []
    for label, all_runs in rows.items():
        runs = [run for run in all_runs if run["gradual"]]
        if not runs:
            continue
        down = {key: [run["gradual"][key] for run in runs] for key in runs[0]["gradual"]}
        plain = [run["retrained"]["fixed-2"] for run in runs]
        schemes = schemes_of(runs[0])[1:]
        best = [min(run["retrained"][f"{s}-2"] for s in schemes) for run in runs]
        gradual = down["gradual-fixed"]
        found += [
            Trend(
                claim=f"Gradual retraining beats straight retraining with a fixed step, {label}",
                paper=straight,
                here=f"{spread(plain)} to {spread(gradual)} %",
                holds=_mean(gradual) < _mean(plain),
            ),
            Trend(
                claim="... and for as many epochs in all",
                paper="not tested",
                here=f"{spread(down['straight-fixed'])} to {spread(gradual)} %",
                holds=_mean(gradual) < _mean(down["straight-fixed"]),
            ),
            Trend(
                claim="Gradual about equals adaptive",
                paper=adaptive,
                here=f"{spread(gradual)} against {spread(best)} %",
                holds=abs(_mean(gradual) - _mean(best)) < 0.5,
            ),
        ]
    return found


def _steps(rows: Rows) -> Trend:
    ends = [run["steps"] for runs in rows.values() for run in runs]
    first, *_, last = ends[0]
    drift = [_mean([abs(end[name][-1] - 1) for end in ends]) for name in (first, last)]
    return Trend(
        claim="The step of the last layer moves most, that of the first hardly",
        paper="Fig. 2",
        here=f"{100 * drift[0]:.1f} % against {100 * drift[1]:.1f} %",
        holds=drift[1] > 2 * drift[0],
    )


def _direct(rows: Rows) -> list[Trend]:
    found = []
    for label, runs in rows.items():
        straight, fixed = (
            [float(run[part][key]) for run in runs]
            for part, key in (("direct", "2"), ("retrained", "fixed-2"))
        )
        parent = [float(run["float"]) for run in runs]
        found.append(
            Trend(
                claim=f"Retraining repairs direct quantization to 2 bits, {label}",
                paper="L: 45.68 to 8.37 %, float 6.45 %",
                here=f"{spread(straight)} to {spread(fixed)} %, float {spread(parent)} %",
                holds=_mean(fixed) - _mean(parent) < (_mean(straight) - _mean(parent)) / 2,
            )
        )
    return found


def _language(rows: Rows) -> list[Trend]:
    found = []
    for label, runs in rows.items():
        for bits in bits_of(runs[0]):
            fixed, adapted = (
                [float(run["retrained"][f"{s}-{bits}"]) for run in runs] for s in ("fixed", "first")
            )
            straight = [float(run["direct"][str(bits)]) for run in runs]
            values = (straight, fixed, adapted)
            found.append(
                Trend(
                    claim=f"LSTM, {label}, {bits} bits: direct far worse, adaptive best",
                    paper=" / ".join(map(str, BPC[bits])) + " (64 cells)",
                    here=" / ".join(spread(value, digits=3) for value in values),
                    holds=_mean(adapted) < _mean(fixed) < _mean(straight),
                )
            )
    return found
