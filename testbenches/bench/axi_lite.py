"""AXI4-Lite master for a testbench: pauses on every channel, and the rules checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fxsim.testbenches.bench.outcome import JOB
from fxsim.testbenches.bench.pauses import Pauses
from fxsim.testbenches.bench.streams import read_bit, read_word, resolve

if TYPE_CHECKING:
    from cocotb.handle import HierarchyObject

OKAY = 0


@dataclass(frozen=True, kw_only=True)
class Access:
    """A write of ``data`` where ``strobe`` is not None, else a read, and the answer expected."""

    address: int
    data: int
    response: int = 0
    strobe: int | None = None


@dataclass(frozen=True, kw_only=True)
class AccessJob:
    """Accesses of one master, in order, to the slave port ``prefix``.

    Parameters
    ----------
    signals : dict of str to [int, int]
        Further signals of the top module: what those into it are set to, and what each has to hold
        in the end.
    """

    prefix: str
    accesses: list[Access]
    patterns: list[str]
    seed: int
    clock: str = "clk"
    reset: str = "rst"
    reset_active: int = 1
    signals: dict[str, list[int]]

    @property
    def text(self) -> str:
        """The job as JSON."""
        return json.dumps(asdict(self))

    def write(self, folder: Path) -> None:
        """Write the file of the job."""
        (folder / JOB).write_text(self.text)

    @property
    def length(self) -> int:
        """Accesses of all patterns."""
        return len(self.accesses) * len(self.patterns)

    @property
    def passing(self) -> dict[str, int]:
        """Answers that a run compares."""
        return {"words": len(self.accesses)}

    @classmethod
    def read(cls, folder: Path) -> AccessJob:
        """Read a job back."""
        value = json.loads((folder / JOB).read_text())
        return cls(**{**value, "accesses": [Access(**item) for item in value["accesses"]]})


class Port:
    """One channel: drives what the master sends, or takes what the slave answers."""

    def __init__(
        self,
        dut: HierarchyObject,
        prefix: str,
        channel: str,
        fields: tuple[str, ...],
        pauses: Pauses,
    ):
        self._name = f"{prefix}_{channel}"
        self._valid = resolve(dut, f"{self._name}valid")
        self._ready = resolve(dut, f"{self._name}ready")
        self._fields = {field: resolve(dut, f"{self._name}{field}") for field in fields}
        self._pauses = pauses
        self._offered: list[dict[str, int]] = []
        self._held: dict[str, int | str] | None = None
        self.sends = channel in ("aw", "w", "ar")
        self.transfers: list[tuple[int, Mapping[str, int | str]]] = []
        self._driven = False
        (self._valid if self.sends else self._ready).value = 0

    def offer(self, **values: int) -> None:
        """Queue one transfer of the master."""
        self._offered.append(values)

    def drive(self) -> None:
        """Set up the next cycle."""
        if not self.sends:
            self._ready.value = int(not self._pauses.now())
            return
        if not self._driven and self._offered and not self._pauses.now():
            for field, value in self._offered[0].items():
                self._fields[field].value = value
            self._driven = True
        self._valid.value = int(self._driven)

    def sample(self, cycle: int) -> None:
        """Look at the values that the clock edge samples."""
        valid = read_bit(self._valid, f"{self._name}valid", cycle)
        ready = read_bit(self._ready, f"{self._name}ready", cycle)
        if not self.sends:
            if not valid:
                assert self._held is None, f"{self._name}valid fell before ready at cycle {cycle}"
                return
            values = {name: read_word(handle) for name, handle in self._fields.items()}
            assert self._held in (None, values), f"{self._name} changed while waiting at {cycle}"
            self._held = None if ready else values
            if ready:
                self.transfers.append((cycle, values))
        elif valid and ready:
            self.transfers.append((cycle, self._offered.pop(0)))
            self._driven = False


class Master:
    """The five channels of an AXI4-Lite master, one step a clock cycle."""

    def __init__(self, dut: HierarchyObject, prefix: str, pause: bool, seed: int):
        channels = {
            "aw": ("addr", "prot"),
            "w": ("data", "strb"),
            "b": ("resp",),
            "ar": ("addr", "prot"),
            "r": ("data", "resp"),
        }
        self.ports = {
            name: Port(dut, prefix, name, fields, Pauses(pause, seed + k))
            for k, (name, fields) in enumerate(channels.items())
        }
        self.cycle = 0

    def write(self, address: int, data: int, strobe: int = 15) -> None:
        """Queue a write."""
        self.ports["aw"].offer(addr=address, prot=0)
        self.ports["w"].offer(data=data, strb=strobe)

    def read(self, address: int) -> None:
        """Queue a read."""
        self.ports["ar"].offer(addr=address, prot=0)

    def drive(self) -> None:
        """Set up the next cycle."""
        for port in self.ports.values():
            port.drive()

    def sample(self, cycle: int) -> None:
        """Look at the values that the clock edge samples; no answer may precede its request."""
        for port in self.ports.values():
            port.sample(cycle)
        done = {name: len(port.transfers) for name, port in self.ports.items()}
        assert done["b"] <= min(done["aw"], done["w"]), f"an answer without a write at {cycle}"
        assert done["r"] <= done["ar"], f"an answer without a read at {cycle}"

    @property
    def written(self) -> list[int | str]:
        """Responses to the writes so far."""
        return [values["resp"] for _, values in self.ports["b"].transfers]

    @property
    def answers(self) -> list[tuple[int | str, int | str]]:
        """Response and data of the reads so far."""
        return [(values["resp"], values["data"]) for _, values in self.ports["r"].transfers]
