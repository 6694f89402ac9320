"""Units by themselves: the top module of each kind, and what its user must know of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from amaranth.lib.wiring import Component

from fxsim.arithmetic.formats import IntFormat
from fxsim.hw import mac_top
from fxsim.hw.edges.axi import lane_bytes
from fxsim.hw.edges.axi_lite import Register
from fxsim.hw.mac_top import MacTop
from fxsim.hw.skip import skip_top
from fxsim.hw.skip.skip_top import SkipTop, index_format
from fxsim.hw.skip.sparse_matvec import SparseMatVecConfig
from fxsim.network.mac_unit import MacUnit
from fxsim.network.skip_unit import SkipUnit
from fxsim.network.units import AnyUnit
from fxsim.plan.mac_unit import array_of, plan_mac_unit
from fxsim.plan.memory import WeightMemory


@dataclass(frozen=True, kw_only=True)
class UnitHardware:
    """Hardware of a unit.

    Parameters
    ----------
    top : callable
        Makes the top module.
    ports : dict
        What the manifest says of each AXI4-Stream port, by name.
    registers : list of Register
        Those of the AXI4-Lite port.
    memories : list of WeightMemory
        Those that files fill, if only until others are loaded.
    """

    top: Callable[[], Component]
    ports: dict[str, object]
    registers: list[Register]
    memories: list[WeightMemory]


def hardware_of(unit: AnyUnit) -> UnitHardware:
    """Hardware of a unit of any kind."""
    match unit:
        case SkipUnit():
            return UnitHardware(
                top=lambda: SkipTop(unit),
                ports=_skip_ports(unit),
                registers=skip_top.registers_of(unit),
                memories=_loadable(unit),
            )
        case MacUnit():
            return UnitHardware(
                top=lambda: MacTop(unit),
                ports=_mac_ports(unit),
                registers=mac_top.registers_of(unit),
                memories=[content] if (content := array_of(unit).content).filled else [],
            )
        case _:
            assert_never(unit)


def _loadable(unit: SkipUnit) -> list[WeightMemory]:
    """Weight memory of a unit that has one which can be loaded."""
    if unit.product is None or not unit.product.loadable:
        return []
    return [SparseMatVecConfig.from_unit(unit).content]


def _port(fmt: IntFormat, lanes: int, beats: int | None, **more: object) -> dict[str, object]:
    facts = {"format": str(fmt), "lanes": lanes, "lane_bytes": lane_bytes(fmt), "beats": beats}
    return {**facts, **more}


def _skip_ports(unit: SkipUnit) -> dict[str, object]:
    product = unit.product
    ports: dict[str, object] = {
        "s_axis": _port(unit.gradient, unit.lanes, unit.beats, items=unit.items)
    }
    if product is None:
        index = index_format(unit)
        pairs: dict[str, object] = {"index_format": str(index), "index_bytes": lane_bytes(index)}
        return ports | {"m_axis": _port(unit.gradient, unit.issue, None, **pairs)}
    beats, words = product.tiles, product.tiles * unit.items
    ports["m_axis"] = _port(product.output.format, product.rows, beats, items=product.outputs)
    if product.loadable:
        ports["s_axis_weights"] = _port(product.weight, product.rows, words)
    return ports


def _mac_ports(unit: MacUnit) -> dict[str, object]:
    plan, layer = plan_mac_unit(unit), unit.layer
    ports: dict[str, object] = {
        name: _port(
            stream.beat.format,
            stream.beat.lanes,
            stream.count,
            items=items * unit.columns,
            shape=[items, unit.columns],
            order="row, column",
        )
        for name, stream, items in (
            ("s_axis", plan.input, layer.inputs),
            ("m_axis", plan.output, layer.outputs),
        )
    }
    if unit.loadable:
        content = array_of(unit).content
        ports["s_axis_weights"] = {
            "code": str(layer.code),
            "lanes": [layer.folding.rows, layer.folding.simd],
            "lane_bits": layer.code.bits,
            "bytes": mac_top.word_bytes(unit),
            "beats": content.depth,
            "order": "row, input",
        }
    return ports
