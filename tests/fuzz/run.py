"""Fuzz every kind of file that fxsim reads, for some minutes.

``python -m tests.fuzz.run --minutes 5`` counts cases by reader and lists findings, each with the
command that repeats it; ``--reader spec --case 17`` runs one case and keeps its files.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.readers import READERS, write_seeds
from tests.fuzz.worker import SECONDS

FINE = ("read", "refused")
GRACE = 60.0
"""Seconds until a process is ended: it has to start, and its first case to load libraries."""


@dataclass
class Findings:
    """Cases by what they came to, and what went wrong."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: list[tuple[str, int, str]] = field(default_factory=list)

    def add(self, name: str, case: int, found: str) -> None:
        """Count a case."""
        kind = found if found in FINE else "wrong"
        self.counts[name, kind] += 1
        if kind == "wrong":
            self.wrong.append((name, case, found))

    @property
    def cases(self) -> int:
        """Cases in all."""
        return sum(self.counts.values())


class Worker:
    """A `tests.fuzz.worker`, started again when it has died or was ended."""

    def __init__(self, seeds: Path, scratch: Path) -> None:
        self._command = [sys.executable, "-m", "tests.fuzz.worker", str(seeds), str(scratch)]
        self._log = scratch / "stderr"
        self._process: subprocess.Popen[bytes] | None = None
        scratch.mkdir(parents=True)

    def run(self, name: str, case: int) -> str:
        """What a case came to."""
        fresh = self._process is None
        if self._process is None:
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
                )
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{name} {case}\n".encode())
        process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            ready = selector.select(GRACE + SECONDS if fresh else 3 * SECONDS + GRACE)
        line = process.stdout.readline() if ready else b""
        if line:
            found: str = json.loads(line)["found"]
            return found
        self.close()
        if not ready:
            return "no answer: too slow"
        return f"died with status {process.returncode}\n{self._log.read_text(errors='replace')}"

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def fuzz(
    names: Sequence[str], *, first: int, seconds: float, most: int, folder: Path, seeds: Path
) -> Findings:
    """Run cases ``first`` and on of every reader, in turn, until time or cases are up."""
    findings, end = Findings(), time.monotonic() + seconds
    with closing(Worker(seeds, folder / "worker")) as worker:
        batch, start = 25, first
        while time.monotonic() < end and start < first + most:
            for name in names:
                for case in range(start, min(start + batch, first + most)):
                    if time.monotonic() > end:
                        return findings
                    findings.add(name, case, worker.run(name, case))
            start += batch
    return findings


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--reader", choices=sorted(READERS), action="append")
    parser.add_argument("--case", type=int, help="run this one, and keep its files")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    given = parser.parse_args()
    os.environ.setdefault("FXSIM_CACHE", str(Path(tempfile.gettempdir()) / "fxsim-fuzz-cache"))
    folder = Path(tempfile.mkdtemp(prefix="fxsim-fuzz-"))
    first, most = (given.first, 1 << 60) if given.case is None else (given.case, 1)
    write_seeds(folder / "seeds")
    found = fuzz(
        given.reader or sorted(READERS),
        first=first,
        seconds=60 * given.minutes,
        most=most,
        folder=folder,
        seeds=folder / "seeds",
    )
    for name in sorted({name for name, _ in found.counts}):
        counts = ", ".join(f"{found.counts[name, kind]} {kind}" for kind in (*FINE, "wrong"))
        print(f"{name:<12} {counts}")
    shown = set()
    for name, case, text in found.wrong:
        last = text.strip().splitlines()
        key = (name, *[line for line in last if line.startswith("  File")][-1:], last[0])
        if key not in shown:
            shown.add(key)
            print(f"\npython -m tests.fuzz.run --reader {name} --case {case}\n{text.strip()}")
    print(f"\n{found.cases} cases, {len(found.wrong)} wrong, {len(shown)} kinds")
    if given.case is not None:
        print(f"files: {folder}")
    else:
        shutil.rmtree(folder)
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(_main())
