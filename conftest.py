"""Settings of the process that runs the tests."""

from __future__ import annotations

import gc


def pytest_collection_finish() -> None:
    """Look for cycles rarely: Verilog is made of millions of small objects that live on.

    With Python's own thresholds a third of the time of `fxsim.hw.emit` goes into walks over them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
