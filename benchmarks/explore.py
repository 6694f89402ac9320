"""Speed of the search, and evaluations that each method takes to reach the true front of a grid.

``python -m benchmarks.explore`` enumerates a space of the digits network, then runs every method on
it and prints the table of docs/exploration.md: points evaluated until the hypervolume is 90, 99 and
100 % of the grid's, and the share that is reached in the end.

``python -m benchmarks.explore speed`` evaluates points of the space in this process and with two,
in turn, and prints points a second of the median run: by the clock on the wall, and by processor
time, which other work on the machine does not change.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from pathlib import Path

import numpy as np

from fxsim import data
from fxsim.explorer.job import Job, make_job
from fxsim.explorer.methods import METHODS
from fxsim.explorer.outcome import Goals, Outcome
from fxsim.explorer.pareto import Values, convergence
from fxsim.explorer.run import Settings, facts_of, search_space
from fxsim.explorer.space import Choices, parse_space
from fxsim.explorer.store import open_store
from fxsim.explorer.workers import Processes, Workers, local_workers
from fxsim.floats.checkpoint import load_checkpoint
from fxsim.spec import load_spec

SPACE = {
    "variables": {
        "input_bits": {"set": ["input.bits"], "to": [2, 3, 4, 6, 8]},
        "weights0": {"set": ["layers[0].weights.levels"], "to": [3, 7, 15, 255]},
        "bits0": {"set": ["layers[0].output.bits"], "to": [2, 3, 4, 8]},
        "weights1": {"set": ["layers[1].weights.levels"], "to": [3, 7, 15, 255]},
        "bits1": {"set": ["layers[1].output.bits"], "to": [2, 4, 8]},
        "weights2": {"set": ["layers[2].weights.levels"], "to": [3, 15, 255]},
    },
    "objectives": ["loss", "energy"],
}
SHARES = (0.9, 0.99, 1.0)


def make() -> Job:
    """Job of the digits network over `SPACE`."""
    folder = Path("models/digits-mlp-ternary")
    spec = load_spec(folder / "spec.yaml")
    checkpoint = load_checkpoint(folder / "checkpoint.npz", spec)
    return make_job(parse_space(spec, SPACE, "benchmark"), checkpoint, data.load(spec.data))


def outcomes_of(job: Job, method: str, seed: int, budget: int | None = None) -> list[Outcome]:
    """Everything that a method evaluates."""
    settings = Settings(method=method, seed=seed, budget=budget)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "store.sqlite"
        with open_store(path, facts_of(job, settings), resume=False) as store:
            search_space(job, store, settings)
            return store.outcomes()


def until(curve: list[float], wanted: float) -> int | None:
    """Evaluations until a curve reaches a value."""
    return next((k + 1 for k, value in enumerate(curve) if value >= wanted), None)


def speed(job: Job, count: int, seed: int, repeats: int) -> None:
    """Print the points a second of one process and of two, on a random sample of the space."""
    chosen = random.Random(seed).sample(range(job.space.size), count)
    points = sorted(map(job.space.choices, chosen))
    runs = [(timed(job, points, 1), timed(job, points, 2)) for _ in range(repeats)]
    print("| processes | points | seconds | points a second | by processor time | speedup |")
    print("|---|---|---|---|---|---|")
    first = 0.0
    for k, processes in enumerate((1, 2)):
        wall, used = np.median([run[k] for run in runs], axis=0)
        first = first or wall
        print(
            f"| {processes} | {count} | {wall:.1f} | {count / wall:.1f} |"
            f" {processes * count / used:.1f} | {first / wall:.2f} |"
        )


def timed(job: Job, points: list[Choices], processes: int) -> tuple[float, float]:
    """Seconds on the wall and of processor time that points take when everything has started."""
    warm = points[:: max(1, len(points) // 8)]
    with local_workers(job, processes) as workers:
        list(workers.run(warm))
    with local_workers(job, processes) as workers:
        if processes > 1:
            list(workers.run(warm))
        wall, used = time.perf_counter(), _processor_time(workers)
        assert len(list(workers.run(points))) == len(points)
        return time.perf_counter() - wall, _processor_time(workers) - used


def _processor_time(workers: Workers) -> float:
    """Seconds of processor time that those who evaluate have used."""
    if not isinstance(workers, Processes):
        return time.process_time()
    ticks = 0
    for pid in workers.pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", nargs="?", choices=["methods", "speed"], default="methods")
    parser.add_argument("--points", type=int, default=600)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--budget", type=int, default=800)
    arguments = parser.parse_args()
    job = make()
    if arguments.what == "speed":
        speed(job, arguments.points, arguments.seed, arguments.repeats)
        return
    goals = Goals(job.space, job.float_error)
    everything = outcomes_of(job, "grid", arguments.seed)
    known = [values for o in everything if (values := goals.values(o)) is not None]
    reference: Values = tuple(max(column) for column in zip(*known, strict=True))
    curves = {"grid": convergence(everything, goals, reference)}
    true = curves["grid"][-1]
    for method in METHODS:
        if method != "grid":
            found = outcomes_of(job, method, arguments.seed, arguments.budget)
            curves[method] = convergence(found, goals, reference)
    print(
        "| method | evaluations | "
        + " | ".join(f"to {share:.0%}" for share in SHARES)
        + " | reached |"
    )
    print("|---|---|" + "---|" * len(SHARES) + "---|")
    for method, curve in curves.items():
        steps = [until(curve, share * true * (1 - 1e-12)) for share in SHARES]
        cells = " | ".join("-" if step is None else f"{step:,}" for step in steps)
        print(f"| {method} | {len(curve):,} | {cells} | {curve[-1] / true:.2%} |")


if __name__ == "__main__":
    main()
