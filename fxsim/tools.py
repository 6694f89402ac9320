"""Tools that others wrote: the environment that they are started in, and failures in one line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fxsim import cache
from fxsim.environment import safe
from fxsim.errors import FileError, MissingToolError
from fxsim.files import check_folder, make_folder
from fxsim.processes import check_going_on, end_children
from fxsim.scratch import scratch

_LONGEST = 200
"""Characters of a tool's last line that are shown."""
_KILLED = 128
"""What a shell adds to the number of the signal that ended a program."""


def tool_variables() -> dict[str, str | None]:
    """Variables of tools: safe, with folders of ours for temporary files and for what they keep.

    Those that are WebAssembly compile themselves when they first run, below the user's home.

    Raises
    ------
    FileError
        If one of these folders cannot be made.
    """
    compiled = cache.folder("tools")
    make_folder(compiled)
    return {
        **safe(),
        "TMPDIR": str(scratch()),
        "XDG_CACHE_HOME": str(compiled),  # wasmtime, which runs the Verilog back end
        "YOWASP_CACHE_DIR": os.environ.get("YOWASP_CACHE_DIR") or str(compiled / "yowasp"),
    }


def run_tool(
    name: str, command: Sequence[str], folder: Path, log: Path, *, limit_s: float | None = None
) -> None:
    """Run a program in ``folder``, all that it prints into ``log``.

    Raises
    ------
    MissingToolError
        If it does not start, fails, is killed, or takes longer than ``limit_s`` seconds. The
        message has its last line, and a copy of the log that stays.
    FileError
        If the log cannot be written.
    """
    check_going_on()
    try:
        output = log.open("wb")
    except OSError as error:
        raise FileError(f"{log}: cannot be written ({error.strerror})") from error
    variables = {**os.environ, **tool_variables()}
    try:
        with (
            output,
            subprocess.Popen(
                command,
                cwd=folder,
                env={key: value for key, value in variables.items() if value is not None},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            ) as process,
        ):
            status = _wait(process, limit_s)
    except subprocess.TimeoutExpired:
        raise failure(name, f"took longer than {limit_s:g} s", log) from None
    except OSError as error:
        raise MissingToolError(f"{name} does not start ({error.strerror})") from error
    check_going_on()
    if status != 0:
        raise failure(name, reason(status, last_line(log)), log)


def _wait(process: subprocess.Popen[bytes], limit_s: float | None) -> int:
    """Exit status of a program; it ends with all that it has started when the wait does."""
    try:
        return process.wait(limit_s)
    except BaseException:
        end_children(process.pid)
        process.kill()
        raise


def reason(status: int, line: str) -> str:
    """How a program ended that did not end well, from its status and its last line."""
    number = -status if status < 0 else status - _KILLED
    if number in set(signal.Signals):
        memory = "; is there enough memory?" if number == signal.SIGKILL else ""
        return f"was killed by {signal.Signals(number).name}{memory}"
    return f"failed: {line or f'exit status {status}'}"


def failure(name: str, what: str, log: Path) -> MissingToolError:
    """Error of a tool; its log is kept, if the disk takes it."""
    kept = cache.folder("logs") / f"{name.lower().replace(' ', '-')}-{time.time_ns()}.log"
    try:
        make_folder(kept.parent)
        shutil.copyfile(log, kept)
    except (OSError, FileError) as error:
        return MissingToolError(f"{name} {what} (its log cannot be kept: {error})")
    return MissingToolError(f"{name} {what}; see {kept}")


def last_line(log: Path) -> str:
    """Last line of a log that says something, shortened."""
    return _short(next(reversed(_lines(log)), ""))


def first_error(log: Path) -> str:
    """First line of a log that tells of an error, as compilers do, else the last one."""
    found = next((line for line in _lines(log) if "error" in line.lower()), None)
    return _short(found) if found else last_line(log)


def _lines(log: Path) -> list[str]:
    try:
        text = log.read_text(errors="replace")
    except OSError:  # the disk took none
        return []
    return [line.strip() for line in text.split("\n") if line.strip()]


def _short(line: str) -> str:
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..."


def read_output(name: str, path: Path, log: Path) -> Any:
    """Read the JSON file that a tool has written.

    Raises
    ------
    MissingToolError
        If it is missing or not JSON.
    """
    check_folder(path.parent)
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not JSON"
        raise failure(name, f"left no result in {path.name} ({said})", log) from error
