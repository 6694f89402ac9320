"""Runs of a regression: where they leave their files, and the verdict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fxsim.errors import MismatchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fxsim.testbenches.run import RunResult


def default_folder(name: str, digest: str) -> Path:
    """Where logs go if the user says nothing: variants of a name have folders of their own."""
    return Path("build/verify") / f"{name}-{digest[:8]}"


def check_runs(runs: Sequence[RunResult]) -> None:
    """Raise `MismatchError` with the first difference, if any run is not clean.

    A run that is, but whose files could not be written, raises that.
    """
    for run in runs:
        if (seen := run.mismatch) is not None:
            raise MismatchError(
                f"{run.simulator}: layer {seen['layer']}, vector {seen['vector']},"
                f" item {seen['index']}, lane {seen['lane']}, cycle {seen['cycle']}:"
                f" expected {seen['expected']}, actual {seen['actual']}"
                + (f" ({run.unwritten})" if run.unwritten else "")
            )
    for run in runs:
        if not run.ok:
            reason = run.messages[0].splitlines()[0] if run.messages else "no test ran"
            raise MismatchError(
                f"{run.simulator}: {reason} ({run.unwritten or f'see {run.report}'})"
            )
    for run in runs:
        if run.unwritten:
            raise run.unwritten
