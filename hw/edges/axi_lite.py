"""A file of 32-bit registers with an AXI4-Lite slave port."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fxsim.errors import ConfigError

OKAY, SLVERR = 0, 2
"""Responses: done; no such register, or not one to write."""


class Access(StrEnum):
    """Access of software to a register.

    READ shows what the hardware holds. WRITE keeps what was written, and can be read back. PULSE
    hands on written ones for a single cycle, and reads as 0.
    """

    READ = "read"
    WRITE = "write"
    PULSE = "pulse"


@dataclass(frozen=True, kw_only=True)
class Register:
    """One register: its name, byte offset and word length; the bits above it read as 0.

    Raises
    ------
    ConfigError
        If the offset is not a multiple of 4, or the word length is not 1 to 32.
    """

    name: str
    offset: int
    access: Access
    bits: int = 32
    text: str = ""

    def __post_init__(self) -> None:
        if self.offset < 0 or self.offset % 4:
            raise ConfigError(f"offset must be a multiple of 4, not {self.offset}")
        if not 1 <= self.bits <= 32:
            raise ConfigError(f"bits must be from 1 to 32, not {self.bits}")


def axi_lite_members(prefix: str, address_bits: int) -> dict[str, wiring.Member]:
    """Members ``<prefix>_awaddr`` and so on of one AXI4-Lite slave port of 32 bits."""
    forward = {"awaddr": address_bits, "awprot": 3, "awvalid": 1, "wdata": 32, "wstrb": 4}
    forward |= {"wvalid": 1, "bready": 1, "araddr": address_bits, "arprot": 3, "arvalid": 1}
    forward |= {"rready": 1}
    backward = {"awready": 1, "wready": 1, "bresp": 2, "bvalid": 1, "arready": 1}
    backward |= {"rdata": 32, "rresp": 2, "rvalid": 1}
    return {f"{prefix}_{name}": In(bits) for name, bits in forward.items()} | {
        f"{prefix}_{name}": Out(bits) for name, bits in backward.items()
    }


def connect_axi_lite(m: Module, file: wiring.Component, top: wiring.Component, prefix: str) -> None:
    """Connect the port of ``file``, whose prefix is ``axil``, to port ``prefix`` of ``top``."""
    for name in axi_lite_members("axil", len(file.axil_araddr)):
        inner, outer = getattr(file, name), getattr(top, name.replace("axil", prefix, 1))
        forward = file.signature.members[name].flow is In
        m.d.comb += inner.eq(outer) if forward else outer.eq(inner)


class AxiLiteRegisters(wiring.Component):
    """AXI4-Lite slave: one write and one read at a time, each channel by itself.

    Address and data of a write may come in any order. Every ready and every answer is a register,
    so that no input reaches an output without one. The low two address bits and ``prot`` are
    ignored. Where there is no register, and on a write to one that can only be read, nothing
    happens but the answer SLVERR; such a read gives 0.

    Parameters
    ----------
    registers : iterable of Register
    address_bits : int
        Width of the addresses.

    Members
    -------
    axil_awaddr, axil_awprot, axil_awvalid, axil_awready, axil_wdata, axil_wstrb, axil_wvalid,
    axil_wready, axil_bresp, axil_bvalid, axil_bready, axil_araddr, axil_arprot, axil_arvalid,
    axil_arready, axil_rdata, axil_rresp, axil_rvalid, axil_rready
    <name> : In or Out
        The value of each register: into this block for READ, out of it for WRITE and PULSE.

    Latency is 2 cycles from the later of address and data to ``bvalid``, and 1 from an address to
    ``rvalid``. A transfer every 2 cycles on each side.

    Raises
    ------
    ConfigError
        If a name or an offset is used twice, or ``address_bits`` do not reach a register.
    """

    def __init__(self, registers: Iterable[Register], *, address_bits: int):
        self._registers = registers = list(registers)
        for key in ("name", "offset"):
            seen = [getattr(register, key) for register in registers]
            if twice := {value for value in seen if seen.count(value) > 1}:
                raise ConfigError(f"{key} must be unique, not {min(twice)} twice")
        for register in registers:
            if register.offset >= 1 << address_bits:
                raise ConfigError(
                    f"offset must be below {1 << address_bits}, not {register.offset}"
                    f" ({register.name})"
                )
        super().__init__(
            axi_lite_members("axil", address_bits)
            | {
                register.name: (In if register.access is Access.READ else Out)(register.bits)
                for register in registers
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._write(m)
        self._read(m)
        return m

    def _write(self, m: Module) -> None:
        """Keep address and data until both are there and the last answer is gone."""
        address = Signal(len(self.axil_awaddr) - 2)
        data = Signal(32)
        strobe = Signal(4)
        commit = Signal()
        has_address = Signal()
        has_data = Signal()
        m.d.comb += [
            self.axil_awready.eq(~has_address),
            self.axil_wready.eq(~has_data),
            commit.eq(has_address & has_data & (~self.axil_bvalid | self.axil_bready)),
        ]
        m.d.sync += [
            has_address.eq(Mux(has_address, ~commit, self.axil_awvalid)),
            has_data.eq(Mux(has_data, ~commit, self.axil_wvalid)),
            self.axil_bvalid.eq(commit | (self.axil_bvalid & ~self.axil_bready)),
        ]
        with m.If(~has_address):
            m.d.sync += address.eq(self.axil_awaddr[2:])
        with m.If(~has_data):
            m.d.sync += [data.eq(self.axil_wdata), strobe.eq(self.axil_wstrb)]

        mask = Cat(bit.replicate(8) for bit in strobe)
        hits = []
        for register in self._registers:
            if register.access is Access.READ:
                continue
            value, bits = getattr(self, register.name), register.bits
            hit = Signal(name=f"hit_{register.name}")
            hits.append(hit)
            m.d.comb += hit.eq(address == register.offset >> 2)
            if register.access is Access.PULSE:
                m.d.sync += value.eq(Mux(commit & hit, data & mask, 0)[:bits])
            else:
                with m.If(commit & hit):
                    m.d.sync += value.eq((data & mask)[:bits] | (value & ~mask[:bits]))
        with m.If(commit):
            m.d.sync += self.axil_bresp.eq(Mux(Cat(hits).any(), OKAY, SLVERR))

    def _read(self, m: Module) -> None:
        """Answer an address in the next cycle, and take no other until the answer is gone."""
        m.d.comb += self.axil_arready.eq(~self.axil_rvalid)
        m.d.sync += self.axil_rvalid.eq(Mux(self.axil_rvalid, ~self.axil_rready, self.axil_arvalid))
        with m.If(~self.axil_rvalid), m.Switch(self.axil_araddr[2:]):
            for register in self._registers:
                value = 0 if register.access is Access.PULSE else getattr(self, register.name)
                with m.Case(register.offset >> 2):
                    m.d.sync += [self.axil_rdata.eq(value), self.axil_rresp.eq(OKAY)]
            with m.Default():
                m.d.sync += [self.axil_rdata.eq(0), self.axil_rresp.eq(SLVERR)]
