"""Cycles of the sparse matrix-vector product in Verilator, on the recorded traces.

``python -m benchmarks.skip`` writes its tables into docs/zero-skipping.md, between their markers.
"""

import re
import sys
from itertools import product
from pathlib import Path

import numpy as np

from fxsim.explorer.skip.gate_gradients import from_trace
from fxsim.explorer.skip.study import nearest
from fxsim.files import write_text
from fxsim.hw.emit import verilog_of
from fxsim.simulator.gradient_traces import STAGES
from fxsim.testbenches.bench.job import Job
from fxsim.testbenches.bench.simulators import find_simulator
from fxsim.testbenches.cases.blocks import Bank, bank_job
from fxsim.testbenches.cases.sparse import SparseCase, folded_config, matvec_case
from fxsim.testbenches.run import run
from fxsim.timing.skip_unit import ideal_cycles

PAGE = Path(__file__).parents[1] / "docs" / "zero-skipping.md"
ITEMS, OUTPUTS = 256, 64
FOLDINGS = ((16, 1), (64, 1), (16, 4))

CYCLES_HEAD = """
| MACs | rows x issue | trace | zeros | measured | predicted | ideal | over ideal | speed-up |
|---|---|---|---|---|---|---|---|---|"""
LOSS_HEAD = """
| pairs a cycle | ends of vectors only | banks, any order | banks, in order | banks of blocks |
|---|---|---|---|---|"""


def gradients(stage: str, share: float) -> np.ndarray:
    """Gate gradients of a trace, thresholded to about ``share`` of zeros."""
    dnet = from_trace(stage)
    return np.where(np.abs(dnet) <= nearest(dnet, share), 0, dnet)


def measure(case: SparseCase, folder: Path) -> int:
    """Cycles from the first beat in to the last beat out, in simulation; every word is checked."""
    job: Job = bank_job([case], seed=1)
    job.patterns[:] = ["none"]
    verilog = verilog_of(Bank([case]), "skip")
    result = run(find_simulator("verilator"), verilog, "skip", job, folder)
    if not result.ok:
        sys.exit(f"error: {case.name}: {'; '.join(result.messages)}")
    (seen,) = result.outcomes[0]["devices"]
    return seen["outputs"][-1] - seen["inputs"][0] + 1


def cycle_rows(folder: Path):
    """Lines of the table of cycles."""
    for rows, issue in FOLDINGS:
        config = folded_config(rows, issue)
        for stage, share in product(STAGES, (0.8, 0.95)):
            data = gradients(stage, share)
            dense = data.size * OUTPUTS // (rows * issue)
            case = matvec_case(config, data)
            cycles = measure(case, folder)
            ideal = ideal_cycles(
                int((data != 0).sum()),
                beats=len(data) * config.skip.beats,
                issue=issue,
                tiles=config.tiles,
            )
            yield (
                f"| {rows * issue} | {rows} x {issue} | {stage} |"
                f" {100 * (data == 0).mean():.1f} % |"
                f" {cycles} | {case.cycles.total} | {ideal:.0f} | {cycles / ideal:.3f} |"
                f" {dense / cycles:.2f} |"
            )


def in_order(banks: list[int], issue: int) -> int:
    """Cycles where a pair waits for its bank, and all later pairs with it."""
    cycles, taken = 0, set()
    for bank in banks:
        if not taken or bank in taken or len(taken) == issue:
            cycles, taken = cycles + 1, set()
        taken.add(bank)
    return cycles


def loss_rows():
    """Lines of the table of mappings: cycles over the ideal on the late trace, by counting."""
    places = [np.flatnonzero(vector) for vector in gradients("late", 0.8)]
    pairs = sum(len(place) for place in places)
    for issue in (1, 2, 4, 8, 16):
        near = [np.bincount(place % issue, minlength=issue).max() for place in places]
        block = [np.bincount(place * issue // ITEMS, minlength=issue).max() for place in places]
        cycles = (
            sum(max(-(-len(place) // issue), 1) for place in places),
            sum(max(int(most), 1) for most in near),
            sum(max(in_order((place % issue).tolist(), issue), 1) for place in places),
            sum(max(int(most), 1) for most in block),
        )
        figures = " | ".join(f"{count * issue / pairs:.2f}" for count in cycles)
        yield f"| {issue} | {figures} |"


def main() -> None:
    """Measure, and replace what is between the markers of the page."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("build/skip")
    tables = {"cycles": [CYCLES_HEAD, *cycle_rows(folder)], "mappings": [LOSS_HEAD, *loss_rows()]}
    text = PAGE.read_text()
    for name, lines in tables.items():
        table = "\n".join(lines)
        print(table, flush=True)
        pattern = rf"(<!-- {name} -->\n).*?(\n<!-- end -->)"
        text = re.sub(
            pattern, lambda found, t=table: found[1] + t + "\n" + found[2], text, flags=re.S
        )
    write_text(PAGE, text)


if __name__ == "__main__":
    main()
