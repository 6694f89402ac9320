"""Clock domains of a top module."""

from amaranth.hdl import ClockDomain, Module, Value
from amaranth.lib.wiring import Component

KEPT = "control"
"""Clock domain of what stays when software resets the rest."""


def add_domains(m: Module, top: Component, reset: Value) -> None:
    """Clock all by ``aclk``; ``aresetn`` resets it all, ``reset`` everything but `KEPT`."""
    sync, kept = ClockDomain("sync"), ClockDomain(KEPT)
    m.domains += [sync, kept]
    m.d.comb += [
        *(domain.clk.eq(top.aclk) for domain in (sync, kept)),
        kept.rst.eq(~top.aresetn),
        sync.rst.eq(~top.aresetn | reset),
    ]
