"""Inside the simulator: registers of a device, written before its words and read after them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cocotb.triggers import RisingEdge

from fxsim.testbenches.bench.axi_lite import OKAY, Master
from fxsim.testbenches.bench.job import Registers

if TYPE_CHECKING:
    from cocotb.handle import HierarchyObject, LogicObject

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
    """One cycle of an AXI4-Lite master."""
    master.drive()
    await RisingEdge(clock)
    master.cycle += 1
    assert master.cycle < _PATIENCE, f"no answer for {_PATIENCE} cycles"
    master.sample(master.cycle)
