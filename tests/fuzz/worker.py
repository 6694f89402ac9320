"""Process that reads mutated files under limits: a case a line in, a verdict a line out.

It is started by `tests.fuzz.run`, which ends it when a case takes too long.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import shutil
import sys
import time
import traceback
import warnings
from pathlib import Path
from random import Random

from fxsim.errors import FxsimError, FxsimWarning
from tests.fuzz.readers import READERS, Reader

MEMORY = 2 << 30
"""Bytes that a case may take."""
DIE = "FXSIM_FUZZ_DIE"
"""Variable that makes a worker die, as a crash of compiled code would."""
SECONDS = 10.0
"""Processor time that a case may take; `tests.fuzz.run` ends one that waits."""


def prepare(reader: Reader, number: int, seeds: Path, folder: Path) -> list[str]:
    """Make the files of a case; returns what was done to them."""
    random = Random(f"{reader.name} {number}")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(seeds / reader.name, folder)
    done = []
    names = sorted(reader.mutations)
    for name in random.sample(names, random.choice([1, 1, 1, min(2, len(names))])):
        for _ in range(random.choice([1, 1, 1, 2])):
            mutation = random.choice(reader.mutations[name])
            try:
                mutation(random, folder / name)
            except Exception:  # the file no longer is what the mutation takes apart
                continue
            done.append(f"{mutation.__name__} {name}")
    return done


def verdict(reader: Reader, folder: Path) -> str:
    """What reading the files of a case came to: ``read``, ``refused``, or what went wrong."""
    start = time.process_time()  # not that of other processes of the machine
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", FxsimWarning)
            reader.read(folder)
        found = "read"
    except FxsimError as error:
        found = "refused" if str(error) else "an error without a message"
    except MemoryError:
        found = "more than 2 GiB of memory\n" + traceback.format_exc()
    except BaseException as error:
        found = f"{type(error).__name__}\n{traceback.format_exc()}"
    passed = time.process_time() - start
    return f"{passed:.1f} s\n{found}" if passed > SECONDS else found


def main(seeds: Path, scratch: Path) -> None:
    """Answer lines ``reader number`` until the end of stdin."""
    out, sys.stdout = sys.stdout, sys.stderr
    limited = None
    for line in sys.stdin:
        name, number = line.split()
        reader = READERS[name]
        if os.environ.get(DIE):
            os.abort()
        folder = scratch / name
        done = prepare(reader, int(number), seeds, folder)
        if limited != name:  # what its imports and kernels take is not the file's
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
            shutil.copytree(seeds / name, scratch / "sound", dirs_exist_ok=True)
            reader.read(scratch / "sound")
            shutil.rmtree(scratch / "sound")
            base = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (base + MEMORY, resource.RLIM_INFINITY))
            limited = name
        out.write(json.dumps({"case": int(number), "done": done, "found": verdict(reader, folder)}))
        out.write("\n")
        out.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
