"""How much hardware is in a block: what its cells are roughly a weighted sum of.

The amounts follow the structure of the blocks in `hw`: bits of adders and registers, products that
become DSP blocks or LUTs, memories that become LUTs or block RAM. What a target makes of products
and memories follows the rules that Yosys has for it (`memory_libmap` and `mul2dsp`, 0.70).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil

from fxsim.targets.registry import find_target
from fxsim.targets.target import Fabric, Multiplier

Facts = Mapping[str, int]

SYNTHESISED = ("logic", "lut", "ff", "carry", "dsp", "block_ram")
"""Cells that synthesis counts, on every target; ``logic`` is what they fill when packed."""


def amounts(kind: str, facts: Facts, target: str, *, dsp: bool = True) -> list[float]:
    """Amounts of a block (`fxsim.cost.facts.Block`) on a target; the last one is 1.

    Without ``dsp``, for parts that have no DSP blocks, products are logic.
    """
    on = find_target(target).fabric_for(dsp=dsp)
    return [*map(float, _KINDS[kind](facts, on)), 1.0]


def dsp_blocks(kind: str, facts: Facts, target: str) -> int:
    """DSP blocks that the products of a block take on a target."""
    on = find_target(target).fabric
    if kind == "mac_array" and facts["dsp"] and facts["multiplies"]:
        blocks, _ = _cell(facts, on)
        return ceil(facts["rows"] * facts["simd"] * blocks)
    if kind == "requantizer":
        return ceil(facts["lanes"] * _scaling(facts, on)[0])
    return ceil(_elementwise(facts, on)[0]) if kind == "lstm_cell" else 0


def _mac_array(f: Facts, on: Fabric) -> list[float]:
    if on.address == 6:
        return _mac_array_of_large_luts(f, on)
    rows, simd, weight, source = f["rows"], f["simd"], f["weight"], f["source"]
    accumulator, lanes = f["accumulator"], f["rows"] * f["simd"]
    signs, booth = 1 - f["multiplies"], f["multiplies"] and not f["dsp"]
    plain = f["multiplies"] and f["dsp"]
    blocks, soft = _cell(f, on)
    # What an accumulator that does not saturate drops is never computed.
    most = 99 if f["saturate"] else accumulator
    wide = min(weight + source, most)
    cut = wide < weight + source
    product = min(source + f["reach"], most) if signs else wide
    adders, added, kept, carries, total = _tree(simd, product, most, on.carry)
    latency = _log(simd) + (1 if signs else (weight + 1) // 2 if booth else 2)
    depth = f["tiles"] * f["beats"]
    digits = (weight + 1) // 2
    gated, choices = _shifts(f)
    return [
        ceil(lanes * blocks) * plain,
        lanes * soft * plain,
        lanes * min(weight, source) * (plain and blocks == 0),
        lanes * wide * (plain and blocks > 0),
        lanes * wide * (plain and blocks > 0 and cut),
        lanes * wide * (plain and blocks == 0),
        lanes * min(source + 2, most) * digits * booth,
        lanes * min(source + weight, most) * digits * booth,
        lanes * source * (digits - 1) * booth,
        lanes * product * gated,
        lanes * product * choices,
        lanes * signs,
        rows * adders,
        rows * added * signs,
        rows * added * (1 - signs),
        rows * kept,
        rows * carries,
        rows * accumulator,
        rows * max(accumulator, total) * f["saturate"],
        rows * ceil((max(accumulator, total) if f["saturate"] else accumulator) / on.carry),
        rows,
        *_rom(on, depth, lanes * weight, f["columns"], f["style"]),
        *_rom(on, f["tiles"], rows * accumulator * (f["bias_columns"] > 0), f["bias_columns"], 0),
        _log(f["tiles"]) * latency,
        _log(depth) + _log(f["tiles"]) + _log(f["beats"]),
        latency,
        simd * source,
        f["style"] == 1,
        lanes * weight * (f["style"] == 1),
        (lanes * weight + simd * source) * f["registered"],
    ]


def _shifts(f: Facts) -> tuple[int, int]:
    """Gates, or choices of a shift, of a cell without a multiplier."""
    gated = f["choices"] == 2
    return int(gated), f["choices"] if f["choices"] > 2 else 0


def _mac_array_of_large_luts(f: Facts, on: Fabric) -> list[float]:
    """Amounts on 7-series, with less for the fit to find: its registers are counted exactly.

    Those of the activations are inside the DSP blocks, and what only travels with the data is in
    shift registers.
    """
    rows, simd, weight, source = f["rows"], f["simd"], f["weight"], f["source"]
    lanes, depth, tiles = rows * simd, f["tiles"] * f["beats"], f["tiles"]
    signs, booth = 1 - f["multiplies"], f["multiplies"] and not f["dsp"]
    blocks, soft = _cell(f, on)
    dsp, logic = (0, 0) if signs or booth else (blocks, blocks == 0)
    most = 99 if f["saturate"] else f["accumulator"]
    product = min(source + (f["reach"] if signs else weight), most)
    _, added, kept, carries, total = _tree(simd, product, most, on.carry)
    accumulator = max(f["accumulator"], total) if f["saturate"] else f["accumulator"]
    digits, digit = (weight + 1) // 2, min(source + 2, most)
    latency = _log(simd) + (1 if signs else digits if booth else 2) + f["registered"]
    place, flags = _delay(on, latency), _delay(on, latency + 1)
    counters = _log(depth) + _log(tiles) + _log(f["beats"])
    columns = f["columns"] * (f["style"] != 1)
    gated, choices = _shifts(f)
    registers = [
        (lanes * weight + simd * source) * f["registered"],
        latency + 1 + 2 * flags[0] + _log(tiles) * place[0] + counters,
        simd * source * (dsp == 0),
        columns + f["bias_columns"],
        lanes * (product * (signs + 2 * logic) + signs),
        rows * (kept + f["accumulator"]),
    ]
    return [
        sum(registers),
        lanes * dsp,
        lanes * soft * logic,
        lanes * ceil((weight + source) / on.carry) * logic,
        lanes * product * gated,
        lanes * product * choices,
        lanes * digit * digits * booth,
        lanes * min(weight + source, most) * digits * booth,
        lanes * source * (digits - 1) * booth,
        lanes * weight * (digits - 1) * booth,
        lanes * ceil(digit / on.carry) * digits * booth,
        lanes * ceil(min(weight + source, most) / on.carry) * digits * booth,
        rows * added,
        rows * carries,
        rows * f["accumulator"],
        rows * accumulator * f["saturate"],
        rows * ceil(accumulator / on.carry),
        rows * ceil(accumulator / on.carry) * f["saturate"],
        *_rom(on, depth, lanes * weight, f["columns"], f["style"]),
        f["bias_columns"],
        2 * flags[1] + _log(tiles) * place[1] + counters,
    ]


def _cell(f: Facts, on: Fabric) -> tuple[float, int]:
    """`_multiply` of an activation and a weight."""
    return _multiply(on, f["source"] + on.sign * (1 - f["signed"]), f["weight"])


def _requantizer(f: Facts, on: Fabric) -> list[float]:
    lanes, accumulator, bits = f["lanes"], f["accumulator"], f["multiplier"]
    wide = max(accumulator + bits, f["offset"])
    blocks, soft = _scaling(f, on)
    left = max(wide - f["shift"], 1)
    varied, counted = f["varied"], f["varied"] or f["moved"]
    return [
        ceil(lanes * blocks),
        lanes * max(blocks - 1, 0) * wide,
        lanes * soft * varied,
        lanes * accumulator * f["ones"] * (blocks == 0),
        lanes * wide,
        lanes * wide * (blocks > 0),
        lanes * ceil(wide / on.carry),
        lanes * left,
        lanes * ceil(left / on.carry),
        lanes * left * f["saturate"],
        lanes * left * f["relu"],
        lanes * f["output"],
        lanes * f["output"] * f["saturate"],
        lanes * accumulator * counted,
        lanes,
        lanes * wide * ((f["offset"] > 0) + f["uneven"]),
        lanes * ceil(wide / on.carry) * (f["offset"] > 0),
        *_rom(on, f["beats"], lanes * bits * varied, f["columns"], 0),
        *_rom(on, f["beats"], lanes * f["offset"] * f["moved"], f["offset_columns"], 0),
        _log(f["beats"]) * counted,
        counted,
    ]


def _scaling(f: Facts, on: Fabric) -> tuple[float, int]:
    """`_multiply` of an accumulator and its multiplier."""
    return _multiply(on, f["accumulator"], f["multiplier"]) if f["multiplier"] > 1 else (0, 0)


def _buffer(f: Facts, on: Fabric) -> list[float]:
    return [
        *_ram(on, 2 * f["beats"], f["width"]),
        f["width"],
        _log(2 * f["beats"]),
        _log(f["beats"]),
        _log(f["tiles"]),
        f["tiles"] > 1,
    ]


def _widen(f: Facts, on: Fabric) -> list[float]:
    return [f["wide"], f["slim"], f["parts"], _log(f["parts"]), _log(f["beats"])]


def _narrow(f: Facts, on: Fabric) -> list[float]:
    parts = f["parts"]
    uneven = parts & (parts - 1) > 0
    muxes = f["slim"] * ceil((parts - 1) / (3 if on.address == 6 else 1.5))
    return [
        f["wide"],
        f["slim"],
        muxes,
        f["wide"] * _log(parts),
        f["wide"] * uneven,
        parts,
        _log(parts),
        _log(f["beats"]),
    ]


def _window(f: Facts, on: Fabric) -> list[float]:
    banks, width = f["banks"], f["width"]
    address = _log(f["depth"])
    turned = (f["tap_columns"] - 1) + (f["tap_rows"] - 1)
    return [
        *(banks * amount for amount in _ram(on, f["depth"], width)),
        banks * width,
        banks * width * turned,
        banks * address,
        banks * address * (f["tap_rows"] > 1),
        banks * address * (f["tap_columns"] > 1),
        banks,
        address,
        _log(f["side"]),
        _log(f["places"]),
        _log(f["size"]),
        _log(f["repeats"]),
        f["repeats"] > 1,
        _log(f["groups"]),
        banks * width * (f["padding"] > 0),
        banks * _log(f["side"]) * (f["padding"] > 0),
    ]


def _greatest(f: Facts, on: Fabric) -> list[float]:
    bits = f["lanes"] * f["bits"]
    return [bits, f["lanes"] * ceil(f["bits"] / on.carry), f["lanes"], _log(f["beats"])]


def _lstm_cell(f: Facts, on: Fabric) -> list[float]:
    sigmoid, tanh, cell = f["sigmoid"], f["tanh"], f["cell"]
    depth = 1 << (f["preactivation"] - 1 - f["step"])
    ports = 2 if f["step"] else 1
    gates = _rom(on, depth, sigmoid, sigmoid, 0)
    squashes = _rom(on, depth, tanh, tanh, 0)
    apart = f["multipliers"] == 3
    blocks, soft = _elementwise(f, on)
    return [
        *(ports * (3 * a + 2 * b) for a, b in zip(gates, squashes, strict=True)),
        *_ram(on, f["cells"], cell),
        ceil(blocks),
        soft,
        f["terms"],
        f["preactivation"],
        (3 * sigmoid + 2 * tanh),
        (3 * sigmoid + 2 * tanh) * (f["step"] > 0),
        cell,
        sigmoid + cell,
        sigmoid + tanh,
        f["output"],
        apart * (sigmoid + cell),
        1 - apart,
        (1 - apart) * cell,
        _log(f["cells"]),
    ]


def _elementwise(f: Facts, on: Fabric) -> tuple[float, int]:
    """`_multiply` of gates and states, apart or by turns, and of what tables interpolate."""
    sigmoid, tanh, cell = f["sigmoid"], f["tanh"], f["cell"]
    pairs = [(sigmoid, cell), (sigmoid, tanh + 1), (sigmoid, tanh + 1)]
    if f["multipliers"] == 1:
        pairs = [(sigmoid, max(cell, tanh + 1))]
    found = [_multiply(on, a + 1, b) for a, b in pairs]
    if f["step"]:
        found += 5 * [_multiply(on, f["step"] + 1, sigmoid + 1)]
    return sum(blocks for blocks, _ in found), sum(soft for _, soft in found)


def _queue(f: Facts, on: Fabric) -> list[float]:
    return [*_ram(on, f["depth"], f["width"]), f["width"], _log(f["depth"])]


def _sum(f: Facts, on: Fabric) -> list[float]:
    lanes = f["lanes"]
    wide = f["bits"] + f["multipliers"]
    return [
        lanes * wide,
        lanes * f["bits"] * f["ones"],
        lanes * f["accumulator"],
        lanes * ceil(f["accumulator"] / on.carry),
        lanes,
    ]


def _place(f: Facts, on: Fabric) -> list[float]:
    lanes, bits = f["lanes"], f["bits"]
    return [lanes * bits, lanes * ceil(bits / on.carry), f["place"], lanes, _log(f["beats"])]


def _concat(f: Facts, on: Fabric) -> list[float]:
    return [f["bits"], f["bits"] * (f["streams"] - 1), f["streams"], _log(f["beats"])]


def _fork(f: Facts, on: Fabric) -> list[float]:
    return [f["bits"]]


def _skid(f: Facts, on: Fabric) -> list[float]:
    return [f["bits"]]


def _rest(f: Facts, on: Fabric) -> list[float]:
    ends = _log(f["beats_in"]) + _log(f["beats_out"])
    queue = f["recurrent"] * f["layers"]
    more = [f["forks"], f["files"], f["files"] > 0]
    return [ends, f["in"], f["out"], f["recurrent"], queue, _log(f["cells"] + 1), *more]


_KINDS: dict[str, Callable[[Facts, Fabric], list[float]]] = {
    "mac_array": _mac_array,
    "requantizer": _requantizer,
    "buffer": _buffer,
    "widen": _widen,
    "narrow": _narrow,
    "window": _window,
    "greatest": _greatest,
    "lstm_cell": _lstm_cell,
    "queue": _queue,
    "sum": _sum,
    "place": _place,
    "concat": _concat,
    "fork": _fork,
    "skid": _skid,
    "rest": _rest,
}


def _log(count: int) -> int:
    """Bits that count to ``count``."""
    return max(count - 1, 0).bit_length()


def _tree(terms: int, bits: int, most: int, carry: int) -> tuple[int, int, int, int, int]:
    """Adders of a balanced tree, bits that they add, bits of registers, carry cells; last width.

    No sum is wider than ``most``.
    """
    adders = added = kept = carries = 0
    while terms > 1:
        pairs, odd = divmod(terms, 2)
        before, bits = bits, min(bits + 1, most)
        adders += pairs
        added += pairs * bits
        kept += pairs * bits + odd * before
        carries += pairs * ceil(bits / carry)
        terms = pairs + odd
    return adders, added, kept, carries, bits


def _multiply(on: Fabric, a: int, b: int) -> tuple[float, int]:
    """DSP blocks of a product, and the bits of partial products that it takes in LUTs.

    A LUT of six inputs adds two partial products, bits and gates, so there it is bits of adders.
    """
    wide, slim = max(a, b), min(a, b)
    if not any(size.takes(wide, slim) for size in on.multipliers):
        return 0, (slim - 1) * (wide + 2) if on.address == 6 else a * b
    first, *smaller = on.multipliers
    if not smaller:
        return first.share * ceil(wide / first.wide) * ceil(slim / first.slim), 0
    return _cut(on.multipliers, wide, slim)


def _cut(sizes: tuple[Multiplier, ...], wide: int, slim: int) -> tuple[float, int]:
    """`_multiply` where what the largest size cuts off goes to smaller ones, or to LUTs."""
    if not sizes:
        return 0, wide * slim
    first = sizes[0]
    if not first.takes(wide, slim):
        return _cut(sizes[1:], wide, slim)
    if wide > first.wide:
        pieces = [(first.wide, slim), (wide - first.wide, slim)]
    elif slim > first.slim:
        pieces = [(wide, first.slim), (wide, slim - first.slim)]
    else:
        return first.share, 0
    found = [_cut(sizes, *piece) for piece in pieces]
    return sum(blocks for blocks, _ in found), sum(soft for _, soft in found)


def _delay(on: Fabric, cycles: int) -> tuple[int, int]:
    """Registers of a bit that is delayed, or the LUTs of its shift register."""
    return (0, 1) if on.shift is not None and cycles >= on.shift else (cycles, 0)


def _blocks(on: Fabric, depth: int, width: int) -> int:
    """Least number of block RAMs."""
    return min(ceil(width / w) * ceil(depth * (1 << _floor(w)) / on.block) for w in on.widths)


def _floor(width: int) -> int:
    """Exponent of the greatest power of two in a width: the ninth bits are parity."""
    return width.bit_length() - 1


def _rom(on: Fabric, depth: int, width: int, columns: int, style: int) -> list[float]:
    """LUTs and registers of a ROM in logic, or its block RAMs, singly and in pairs."""
    if not width or depth < 2:
        return [0, 0, 0, 0, 0, 0]
    blocks = _blocks(on, depth, width)
    if style == 1 or (style == 0 and depth * width > on.rom * blocks):
        return [0, 0, 0, 0, blocks, ceil(blocks / 2)]
    one = 1 << on.address
    if on.address == 6:
        more = [columns * max(depth - 16, 0), columns * max(depth - one, 0)]
        return [columns, *more, _log(depth), 0, 0]
    shallow = depth <= one
    luts = columns * depth / one
    return [columns * shallow, luts * (not shallow), columns, _log(depth), 0, 0]


def _ram(on: Fabric, depth: int, width: int) -> list[float]:
    """Cells of a memory in LUTs, of registers, or block RAMs, singly and in pairs."""
    blocks = _blocks(on, depth, width)
    if depth * width > on.ram * blocks:
        return [0, 0, 0, blocks, ceil(blocks / 2)]
    if on.lut_ram is None:
        return [0, depth * width, 0, 0, 0]
    deep, wide = on.lut_ram
    banks = ceil(depth / deep)
    return [banks * ceil(width / wide), 0, (banks - 1) * width, 0, 0]
