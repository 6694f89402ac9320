"""Columns of the front next to its metrics."""

from __future__ import annotations

from fxsim.explorer.front import front_rows, to_csv
from fxsim.explorer.outcome import Outcome
from fxsim.explorer.run import Settings, facts_of
from fxsim.explorer.store import open_store
from fxsim.report.exploration import render
from tests.explorer.small import make


def test_the_front_says_how_full_the_part_is(tmp_path):
    """A point of 5 DSP blocks of 8; another has one logic cell too many."""
    job = make(constraints={"part": "ice40up5k"}, target="ice40")
    metrics = {"loss": 1.0, "weight_memory_bits": 9, "error": 0.0}
    metrics |= {"logic": 2640, "ff": 100, "dsp": 5, "block_ram": 9}
    with open_store(tmp_path / "s", facts_of(job, Settings()), resume=False) as store:
        store.add(Outcome((0, 0, 0, 0), 0, metrics), 0.5)
        store.add(Outcome((0, 0, 0, 1), 1, metrics | {"logic": 5281, "loss": 0.5}), 0.5)
        (row,) = front_rows(store)
        assert row["part_taken"] == "dsp 62%"
        assert to_csv([row]).splitlines()[0].endswith(",measured,part_taken")
        assert "Part taken" in render(store, "s")
