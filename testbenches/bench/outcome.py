"""Outcomes: what a cocotb run found, bound to the job and the Verilog that it belongs to.

The simulator's side hashes the files that it works with: the job as it read it, and the source
that its design was compiled from. The other side knows what these hashes must be, and takes no
outcome with others.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from fxsim.errors import FileError

JOB = "job.json"
FOLDER, SOURCE = "FXSIM_JOB", "FXSIM_SOURCE"
"""Environment of the simulator: folder of the job, and file of the Verilog that was compiled."""


def digest_of(text: str) -> str:
    """SHA-256 of a text as UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Subject:
    """SHA-256 of a job and of the Verilog that it is run on."""

    job: str
    verilog: str

    @classmethod
    def of_this_run(cls) -> Self:
        """Inside the simulator: that of the files it works with."""
        paths = (Path(os.environ[FOLDER]) / JOB, Path(os.environ[SOURCE]))
        return cls(*(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths))

    def write(self, folder: Path, outcome: Mapping[str, Any]) -> None:
        """Write the outcome of a pattern."""
        value = {**outcome, "job": self.job, "verilog": self.verilog}
        (folder / file_of(outcome["pattern"])).write_text(json.dumps(value))

    def read(self, folder: Path, pattern: str) -> dict[str, Any] | None:
        """Read the outcome of a pattern; None if there is none.

        Raises
        ------
        FileError
            If it belongs to another job or other Verilog, is older than the job, or is malformed.
        """
        path = folder / file_of(pattern)
        if not path.exists():
            return None
        try:
            value: dict[str, Any] = json.loads(path.read_text())
            found = {name: value.pop(name) for name in ("pattern", "job", "verilog")}
        except (ValueError, KeyError, AttributeError) as error:
            raise FileError(f"{path}: not an outcome ({error!r})") from error
        wanted = {"pattern": pattern, "job": self.job, "verilog": self.verilog}
        for name, want in wanted.items():
            if found[name] != want:
                raise FileError(f"{path}: {name} must be {want}, not {found[name]}")
        if path.stat().st_mtime_ns < (folder / JOB).stat().st_mtime_ns:
            raise FileError(f"{path}: is older than its {JOB}")
        return {"pattern": pattern, **value}


def file_of(pattern: str) -> str:
    """Name of the file with the outcome of a pattern."""
    return f"outcome_{pattern}.json"
