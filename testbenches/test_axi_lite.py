"""AXI4-Lite registers against a model on Python integers: strobes, back to back, stalls, SLVERR."""

import random
from itertools import pairwise
from pathlib import Path

import pytest

from fxsim.hw.edges.axi_lite import OKAY, SLVERR, Access, AxiLiteRegisters, Register
from fxsim.hw.emit import verilog_of
from fxsim.testbenches.bench import axi_lite
from fxsim.testbenches.bench.axi_lite import AccessJob
from fxsim.testbenches.bench.simulators import SIMULATORS, find_simulator
from fxsim.testbenches.run import run

REGISTERS = [
    Register(name="version", offset=0x00, access=Access.READ),
    Register(name="wide", offset=0x04, access=Access.WRITE),
    Register(name="start", offset=0x08, access=Access.PULSE, bits=3),
    Register(name="narrow", offset=0x0C, access=Access.WRITE, bits=11),
    Register(name="count", offset=0x20, access=Access.READ, bits=7),
]
SHOWN = {"version": 0xDEAD1234, "count": 99}


class Model:
    """Registers as software must see them, and nothing of how they are made."""

    def __init__(self) -> None:
        self.held = {"wide": 0, "narrow": 0}

    def access(self, address: int, data: int, strobe: int | None) -> axi_lite.Access:
        found = [register for register in REGISTERS if register.offset == address & ~3]
        name = found[0].name if found else ""
        if strobe is None:
            value = SHOWN.get(name, self.held.get(name, 0))
            return axi_lite.Access(address=address, data=value, response=OKAY if found else SLVERR)
        if name in self.held:
            old = self.held[name]
            for byte in range(4):
                if strobe >> byte & 1:
                    old = old & ~(0xFF << 8 * byte) | data & (0xFF << 8 * byte)
            self.held[name] = old & ((1 << found[0].bits) - 1)
        response = SLVERR if not found or name in SHOWN else OKAY
        return axi_lite.Access(address=address, data=data, strobe=strobe, response=response)


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_registers(simulator: str, tmp_path: Path) -> None:
    generator, model = random.Random(3), Model()
    accesses = []
    for _ in range(60):  # runs of writes or of reads, so that both are back to back
        writes = generator.random() < 0.5
        for _ in range(generator.randint(1, 6)):
            address = generator.choice([*range(0, 0x14, 4), 0x20, 0x24, 0x3C, 0x05, 0x0E, 0x10])
            strobe = generator.choice([15, generator.randrange(16)]) if writes else None
            accesses.append(model.access(address, generator.getrandbits(32), strobe))
    assert {access.response for access in accesses} == {OKAY, SLVERR}
    job = AccessJob(
        prefix="axil",
        accesses=accesses,
        patterns=["none", "both"],
        seed=1,
        signals={name: [value, value] for name, value in SHOWN.items()},
    )
    verilog = verilog_of(AxiLiteRegisters(REGISTERS, address_bits=6), "registers")
    result = run(find_simulator(simulator), verilog, "registers", job, tmp_path)
    assert result.messages == []
    assert result.tests == 2
    assert result.words == 2 * len(accesses)
    # Back to back, a transfer every other cycle.
    for channel in ("b", "r"):
        cycles = result.outcomes[0]["answered"][channel]
        gaps = [after - before for before, after in pairwise(cycles)]
        assert min(gaps) == 2


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_a_wrong_answer_is_found(simulator: str, tmp_path: Path) -> None:
    wrong = [axi_lite.Access(address=4, data=1, response=OKAY)]
    job = AccessJob(prefix="axil", accesses=wrong, patterns=["none"], seed=1, signals={})
    verilog = verilog_of(AxiLiteRegisters(REGISTERS, address_bits=6), "registers")
    result = run(find_simulator(simulator), verilog, "registers", job, tmp_path)
    assert not result.ok
    assert "read 0" in result.messages[0]
    assert "(0, 0)" in result.messages[0]
