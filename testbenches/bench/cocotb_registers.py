"""Inside the simulator: registers of a device, written before its words and read after them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cocotb.triggers import FallingEdge, Timer

from fxsim.testbenches.bench.axi_lite import OKAY, Master
from fxsim.testbenches.bench.job import Registers

if TYPE_CHECKING:
    from cocotb.handle import HierarchyObject, LogicObject

_SETTLED = 2  # ns after the falling edge, 3 before the rising one
_PATIENCE = 20_000  # cycles in which all accesses must be answered


async def write_registers(clock: LogicObject, master: Master, registers: Registers) -> None:
    """Write what comes before the first word."""
    for address, data in registers.writes:
        master.write(address, data)
    while len(master.written) < len(registers.writes):
        await _access(clock, master)
    assert set(master.written) <= {OKAY}, f"responses to writes: {master.written}"


async def read_registers(
    dut: HierarchyObject, clock: LogicObject, registers: Registers
) -> dict[str, int | str]:
    """Values of all registers by name; the bits of one that has unknown ones."""
    master, reads = Master(dut, registers.prefix, False, 0), registers.reads
    for address in reads.values():
        master.read(address)
    while len(master.answers) < len(reads):
        await _access(clock, master)
    assert {response for response, _ in master.answers} == {OKAY}, f"answers: {master.answers}"
    return {name: data for name, (_, data) in zip(reads, master.answers, strict=True)}


async def _access(clock: LogicObject, master: Master) -> None:
    """One cycle of an AXI4-Lite master.

    It drives at the falling edge, and a moment later looks at what the rising one will sample: of
    that, where Verilog makes the clock, a simulator may tell only when all is over.
    """
    await FallingEdge(clock)
    master.drive()
    await Timer(_SETTLED, unit="ns")
    master.cycle += 1
    assert master.cycle < _PATIENCE, f"no answer for {_PATIENCE} cycles"
    master.sample(master.cycle)
