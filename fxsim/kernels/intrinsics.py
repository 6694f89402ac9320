"""The only file with machine instructions: AMX tiles, AVX-512 VNNI, AVX2, and a copy.

Each function becomes one LLVM intrinsic, or a loop of them, inside the numba kernel that calls it.
Addresses are plain integers. An AMX tile is a register of 16 rows x 64 bytes; its number is part of
the instruction and must be a constant. ``tile_dot`` and ``vpdpbusd`` multiply four neighbouring
unsigned bytes (activations) by four signed ones (weights) and add the sum to a 32-bit lane,
``vpdpwssd`` does so with two signed words; sums wrap. AVX2 has no such instruction: ``vpmaddubsw``
multiplies two bytes by two and saturates their sum at 16 bits, ``vpmaddwd`` two words by two with a
sum of 32 bits.

Nothing here checks that the target has the instruction: `fxsim.kernels.target` does, before any
caller is compiled.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from functools import reduce
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

LANES = 32
"""Columns of a panel: two registers of 16 lanes, or two tiles."""

TILE_CONFIG = np.zeros(64, np.uint8)
"""Palette 1; eight tiles of 16 rows x 64 bytes."""
TILE_CONFIG[0] = 1
TILE_CONFIG[16:32:2] = 64
TILE_CONFIG[48:56] = 16

_AHEAD = 4096  # bytes

_I8, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
_PTR, _VOID = ir.PointerType(), ir.VoidType()
_V16 = ir.VectorType(_I32, 16)
_V8, _V16_16, _V32_8 = (
    ir.VectorType(kind, lanes) for kind, lanes in ((_I32, 8), (_I16, 16), (_I8, 32))
)
_ZERO = ir.Constant(_V16, [0] * 16)
_HALVES = range(2)


def _call(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    signature = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, signature, name), arguments)


def _pointer(builder: Any, address: Any, offset: Any = 0) -> Any:
    if not isinstance(offset, ir.Value):
        offset = _I64(offset)
    return builder.inttoptr(builder.add(address, offset), _PTR)


@intrinsic
def _address(typing: Any, array: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        structure = context.make_array(signature.args[0])(context, builder, args[0])
        return builder.ptrtoint(structure.data, _I64)

    return types.intp(array), generate


def address(array: npt.NDArray[Any]) -> int:
    """Address of the first item.

    In compiled code ``array.ctypes.data`` is unsigned, and becomes a float where it meets an int.
    """
    return array.ctypes.data


@overload(address, inline="always", strict=False)
def _address_overload(array: Any) -> Any:
    return lambda array: _address(array)


@intrinsic
def tile_config(typing: Any, address: Any) -> Any:
    """Set up the tiles of this thread."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _call(builder, "llvm.x86.ldtilecfg", _VOID, _pointer(builder, args[0]))
        return context.get_dummy_value()

    return types.void(types.intp), generate


@intrinsic
def tile_release(typing: Any) -> Any:
    """Give the tiles back, so that a context switch need not save them."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _call(builder, "llvm.x86.tilerelease", _VOID)
        return context.get_dummy_value()

    return types.void(), generate


def _tile_memory(name: str) -> Any:
    @intrinsic(prefer_literal=True)
    def operation(typing: Any, tile: Any, address: Any, stride: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            place = _pointer(builder, args[1])
            _call(builder, name, _VOID, _I8(tile.literal_value), place, args[2])
            return context.get_dummy_value()

        return types.void(tile, types.intp, types.intp), generate

    return operation


tile_load = _tile_memory("llvm.x86.tileloadd64")
tile_stream = _tile_memory("llvm.x86.tileloaddt164")  # does not displace the activations in L1
tile_store = _tile_memory("llvm.x86.tilestored64")


@intrinsic(prefer_literal=True)
def tile_dot(typing: Any, total: Any, left: Any, right: Any) -> Any:
    """Add unsigned ``left`` times signed ``right`` to tile ``total``."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        numbers = [_I8(tile.literal_value) for tile in (total, left, right)]
        _call(builder, "llvm.x86.tdpbusd", _VOID, *numbers)
        return context.get_dummy_value()

    return types.void(total, left, right), generate


@intrinsic
def copy(typing: Any, target: Any, source: Any, size: Any) -> Any:
    """Copy ``size`` bytes."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        places = _pointer(builder, args[0]), _pointer(builder, args[1])
        flag = ir.Constant(ir.IntType(1), 0)
        _call(builder, "llvm.memcpy.p0.p0.i64", _VOID, *places, args[2], flag)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), generate


def _splat(builder: Any, word: Any) -> Any:
    return builder.shuffle_vector(builder.insert_element(_ZERO, word, _I32(0)), _ZERO, _ZERO)


def _load(builder: Any, address: Any, offset: Any, kind: Any, align: int) -> Any:
    return builder.load(_pointer(builder, address, offset), align=align, typ=kind)


def _add_dot(builder: Any, place: Any, x: Any, weights: Any, *, words: bool = False) -> None:
    """Add four products of bytes, or two of words, to each lane of a variable."""
    name = f"llvm.x86.avx512.vpdp{'wssd' if words else 'busd'}.512"
    total = builder.load(place, typ=_V16)
    builder.store(_call(builder, name, _V16, total, x, weights), place)


def _fetch(builder: Any, address: Any, offset: Any) -> None:
    """Ask for the cache line at an address, which need not exist."""
    where = _pointer(builder, address, offset)
    how = (_I32(number) for number in (0, 3, 1))  # to read, into the nearest cache, data
    _call(builder, "llvm.prefetch.p0", _VOID, where, *how)


def _emit_dots(
    builder: Any, args: Any, rows: int, chains: int, halves: int, *, words: bool, fetch: bool
) -> None:
    """Emit what `_dot_rows` describes; with ``fetch`` weights are asked for ahead of their use."""
    x, stride, panel, quads, start, target, pitch = args
    step = 16 if rows == 1 else chains
    sums = {
        spot: cgutils.alloca_once(builder, _V16)
        for spot in product(range(rows), range(halves), range(chains))
    }
    for (_, half, chain), place in sums.items():
        first = _ZERO if chain else _load(builder, start, 64 * half, _V16, 4)
        builder.store(first, place)

    def add_quad(source: Any, weights: Any, quad: int, some: Iterable[int]) -> None:
        tiles = {}
        for half in some:
            place = 64 * quad + 1024 * half
            if fetch:
                _fetch(builder, weights, place + _AHEAD)
            tiles[half] = _load(builder, weights, place, _V16, 64)
        for row in range(rows):
            offset = builder.add(builder.mul(stride, _I64(row)), _I64(4 * quad))
            word = _splat(builder, _load(builder, source, offset, _I32, 1))
            for half, tile in tiles.items():
                _add_dot(builder, sums[row, half, quad % chains], word, tile, words=words)

    with cgutils.for_range(builder, builder.udiv(quads, _I64(step))) as loop:
        quad = builder.mul(loop.index, _I64(step))
        group = builder.mul(builder.lshr(quad, _I64(4)), _I64(2048))
        within = builder.mul(builder.and_(quad, _I64(15)), _I64(64))
        weights = builder.add(panel, builder.add(group, within))
        source = builder.add(x, builder.mul(quad, _I64(4)))
        # One row is bound by its weights, and reads them in the order in which they lie.
        for some in [[half] for half in range(halves)] if rows == 1 else [range(halves)]:
            for k in range(step):
                add_quad(source, weights, k, some)
    for row, half in product(range(rows), range(halves)):
        total = builder.load(sums[row, half, 0], typ=_V16)
        for chain in range(1, chains):
            total = builder.add(total, builder.load(sums[row, half, chain], typ=_V16))
        offset = builder.add(builder.mul(pitch, _I64(row)), _I64(64 * half))
        builder.store(total, _pointer(builder, target, offset), align=4)


def _dot_rows(rows: int, chains: int, halves: int = 2) -> Any:
    """Products of ``rows`` rows and a panel; ``chains`` sums over k hide the latency of few rows.

    Of the 32 outputs only the first 16 with ``halves`` of 1. Arguments: address and row stride of
    the activations, address of the panel, number of times four bytes of inputs (a multiple of
    ``chains``, or of 16 for one row), address of 32 start values, address and row stride of the
    results; a number of the type of the weights, int8 or, if they and the inputs are words, int16;
    whether the panel was read before. If not, it is fetched `_AHEAD`, across its end: the
    processor's own prefetch stops at every page.
    """

    @intrinsic
    def operation(typing: Any, places: Any, kind: Any, again: Any) -> Any:
        words = kind.bitwidth == 16

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            places, _, again = args
            for fetch in (True, False):
                known = builder.icmp_unsigned("!=", again, ir.IntType(1)(fetch))
                with builder.if_then(known):
                    each = cgutils.unpack_tuple(builder, places)
                    _emit_dots(builder, each, rows, chains, halves, words=words, fetch=fetch)
            return context.get_dummy_value()

        return types.void(types.UniTuple(types.intp, 7), kind, types.boolean), generate

    return operation


@intrinsic
def narrow_excess(typing: Any, x: Any, groups: Any) -> Any:
    """Excess of `dot_row_narrow` for a row of activations."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x, groups = args
        twos = ir.Constant(_V16, [0x02020202] * 12 + [0] * 4)
        total = cgutils.alloca_once_value(builder, _ZERO)
        with cgutils.for_range(builder, groups) as loop:
            source = _load(builder, x, builder.mul(loop.index, _I64(64)), _V16, 1)
            _add_dot(builder, total, source, twos)
        name = "llvm.vector.reduce.add.v16i32"
        return builder.sext(_call(builder, name, _I32, builder.load(total, typ=_V16)), _I64)

    return types.intp(types.intp, types.intp), generate


@intrinsic
def dot_row_narrow(typing: Any, places: Any, again: Any) -> Any:
    """One row and a panel of weights of two bits, in which a byte holds those of four inputs.

    A group of 64 inputs has 512 bytes: for each half 4 times 64. Lane j of number k holds in byte
    i, bits 2c and 2c + 1, the weight of output j and input 16c + 4k + i. Bits are masked, not
    moved, so what chain c sums is 4**c times too large (up to 65536 inputs fit); chain 3 reads
    signed weights, the others weights plus 2.

    Arguments: address of the activations, their `narrow_excess`, address of the panel, number of
    groups, address of 32 start values and of the results; whether the panel was read before.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        places, again = args
        for fetch in (True, False):
            known = builder.icmp_unsigned("!=", again, ir.IntType(1)(fetch))
            with builder.if_then(known):
                _emit_narrow_dots(builder, cgutils.unpack_tuple(builder, places), fetch=fetch)
        return context.get_dummy_value()

    return types.void(types.UniTuple(types.intp, 6), types.boolean), generate


def _emit_narrow_dots(builder: Any, args: Any, *, fetch: bool) -> None:
    x, excess, panel, groups, start, target = args
    sums = [[cgutils.alloca_once_value(builder, _ZERO) for _ in range(4)] for _ in range(2)]
    masks = [ir.Constant(_V16, [(3 << 2 * chain) * 0x01010101] * 16) for chain in range(4)]
    with cgutils.for_range(builder, groups) as loop:
        weights = builder.add(panel, builder.mul(loop.index, _I64(512)))
        source = builder.add(x, builder.mul(loop.index, _I64(64)))
        for half, k in product(range(2), range(4)):
            offset = 256 * half + 64 * k
            if fetch:
                _fetch(builder, weights, offset + _AHEAD // 2)
            packed = _load(builder, weights, offset, _V16, 64)
            for chain, place in enumerate(sums[half]):
                word = _splat(builder, _load(builder, source, 16 * chain + 4 * k, _I32, 1))
                _add_dot(builder, place, word, builder.and_(packed, masks[chain]))
    excess = _splat(builder, builder.trunc(excess, _I32))
    for half, chains in enumerate(sums):
        found = builder.sub(_load(builder, start, 64 * half, _V16, 4), excess)
        for chain, place in enumerate(chains):
            total = builder.load(place, typ=_V16)
            moved = builder.ashr(total, ir.Constant(_V16, [2 * chain] * 16))
            found = builder.add(found, moved)
        builder.store(found, _pointer(builder, target, 64 * half), align=4)


class Cut(IntEnum):
    """Treatment of a sum by `beat_rows` after each beat."""

    SATURATE = 0
    """Clamp it."""
    SATURATE_COUNTED = 1
    WRAP_COUNTED = 2
    """Leave it: what wraps is the same sum, cut once. Count how often its upper bits change."""


class _Beats:
    """Emit `beat_rows` for one number of rows and one cut.

    The sums of a row are the halves of a panel, two vectors of 16.
    """

    def __init__(self, builder: Any, args: Any, rows: int, cut: Cut):
        self.builder, self.rows, self.cut = builder, rows, cut
        self.x, self.stride, self.panel, self.floors, self.margins, *rest = args
        self.start, self.beats, self.size, self.quads, span, *self.results = rest
        self.span = _splat(builder, builder.trunc(span, _I32))
        self.spots = list(product(range(rows), _HALVES))
        biases = self.loads(self.start, _I64(0), align=4)
        self.sums = {
            spot: cgutils.alloca_once_value(builder, biases[spot[1]]) for spot in self.spots
        }
        self.former = {spot: cgutils.alloca_once(builder, _V16) for spot in self.spots}
        self.count = cgutils.alloca_once_value(builder, _I64(0))

    def loads(self, address: Any, offset: Any, align: int = 64) -> list[Any]:
        begin = self.builder.add(address, offset)
        return [_load(self.builder, begin, 64 * half, _V16, align) for half in _HALVES]

    def vector(self, operation: str, *operands: Any) -> Any:
        return _call(self.builder, f"llvm.{operation}.v16i32", _V16, *operands)

    def read(self, variables: dict[Any, Any], spot: Any) -> Any:
        return self.builder.load(variables[spot], typ=_V16)

    def add_quad(self, quad: Any) -> None:
        """Add four products to every sum."""
        builder = self.builder
        pair = self.loads(self.panel, builder.mul(quad, _I64(128)))
        source = builder.add(self.x, builder.mul(quad, _I64(4)))
        for row in range(self.rows):
            word = _load(builder, source, builder.mul(self.stride, _I64(row)), _I32, 1)
            word = _splat(builder, word)
            for half in _HALVES:
                _add_dot(builder, self.sums[row, half], word, pair[half])

    def add_quads(self, begin: Any, quads: Any) -> None:
        with cgutils.for_range(self.builder, quads) as loop:
            self.add_quad(self.builder.add(begin, loop.index))

    def add_count(self, overflows: Any) -> None:
        # Masks are counted outside of the vector units, which are what the sums wait for.
        builder, mask = self.builder, self.builder.bitcast(overflows, _I16)
        some = builder.zext(_call(builder, "llvm.ctpop.i16", _I16, mask), _I64)
        builder.store(builder.add(builder.load(self.count, typ=_I64), some), self.count)

    def treat(self, spot: Any, floor: Any) -> None:
        """Cut a sum after a beat, or count what the cut would do."""
        builder, exact = self.builder, self.read(self.sums, spot)
        if self.cut is Cut.WRAP_COUNTED:
            above = builder.sub(exact, floor)
            changes = builder.xor(above, self.read(self.former, spot))
            builder.store(above, self.former[spot])
            self.add_count(builder.icmp_unsigned(">", changes, self.span))
            return
        highest = builder.add(floor, self.span)
        value = self.vector("smin", self.vector("smax", exact, floor), highest)
        builder.store(value, self.sums[spot])
        if self.cut is Cut.SATURATE_COUNTED:
            self.add_count(builder.icmp_signed("!=", exact, value))

    def risky(self, first: Any, chunk: Any) -> Any:
        """True if a sum of any row is nearer to a limit than a chunk can reach."""
        builder = self.builder
        floor = self.loads(self.floors, builder.mul(first, _I64(128)))
        place = builder.mul(chunk, _I64(256))
        reach = self.loads(self.margins, place)
        room = self.loads(self.margins, builder.add(place, _I64(128)))
        outside = []
        for half in _HALVES:
            highest = self.farthest(half, floor[half], reach[half])
            outside.append(builder.bitcast(builder.icmp_unsigned(">", highest, room[half]), _I16))
        return builder.icmp_unsigned("!=", builder.or_(*outside), _I16(0))

    def farthest(self, half: int, floor: Any, reach: Any) -> Any:
        """Emit the largest distance of the sums of all rows from the lowest safe one."""
        builder, distances = self.builder, []
        for row in range(self.rows):
            above = builder.sub(self.read(self.sums, (row, half)), floor)
            builder.store(above, self.former[row, half])
            if self.cut is Cut.WRAP_COUNTED:
                above = builder.and_(above, self.span)
            distances.append(builder.sub(above, reach))
        return reduce(lambda highest, other: self.vector("umax", highest, other), distances)

    def chunk(self, index: Any, *, single: bool) -> None:
        """Add the beats of a chunk, with a cut after each only where one may be needed."""
        builder = self.builder
        first = builder.mul(index, self.size)
        left = builder.sub(self.beats, first)
        here = builder.select(builder.icmp_signed("<", left, self.size), left, self.size)
        with builder.if_else(self.risky(first, index)) as (careful, plain):
            with careful, cgutils.for_range(builder, here) as loop:
                beat = builder.add(first, loop.index)
                if single:
                    self.add_quad(beat)
                else:
                    self.add_quads(builder.mul(beat, self.quads), self.quads)
                after = builder.mul(builder.add(beat, _I64(1)), _I64(128))
                floor = self.loads(self.floors, after)
                for spot in self.spots:
                    self.treat(spot, floor[spot[1]])
            with plain:
                self.add_quads(builder.mul(first, self.quads), builder.mul(here, self.quads))

    def store(self) -> None:
        """Store the sums, from where their floors were in the end, and the count."""
        builder, (target, pitch, found) = self.builder, self.results
        lowest = self.loads(self.floors, _I64(0))
        last = self.loads(self.floors, builder.mul(self.beats, _I64(128)))
        for row, half in self.spots:
            above = builder.sub(self.read(self.sums, (row, half)), last[half])
            offset = builder.add(builder.mul(pitch, _I64(row)), _I64(64 * half))
            value = builder.add(above, lowest[half])
            builder.store(value, _pointer(builder, target, offset), align=4)
        builder.store(builder.load(self.count, typ=_I64), _pointer(builder, found))


def _emit_beats(builder: Any, args: Any, rows: int, cut: Cut, *, single: bool) -> None:
    """Emit `beat_rows` for one number of rows and one cut; with ``single`` a beat is one quad."""
    emitted = _Beats(builder, args, rows, cut)
    size = emitted.size
    chunks = builder.udiv(builder.add(emitted.beats, builder.sub(size, _I64(1))), size)
    with cgutils.for_range(builder, chunks) as chunk:
        emitted.chunk(chunk.index, single=single)
    emitted.store()


@intrinsic
def beat_rows(typing: Any, places: Any, rows: Any, cut: Any) -> Any:
    """Sums of 6 rows or 1 and a panel that are cut after each beat of ``quads`` x 4 products.

    Where activations are too large by an offset, so are sums; the range moves along with them.
    Beats are not cut in a chunk of them that no sum of the block can leave the range in.

    Arguments: address and row stride of the activations; addresses of the panel, of the floors (32
    lanes, one more than there are beats), of the margins (for each chunk 32 lanes of how far it can
    reach, and of the span less twice that) and of the biases; number of beats, of beats in a chunk,
    of quads in a beat; greatest less least sum; address and row stride of the results, address of
    64 bits for the number of overflows, if they are counted. Then number of rows, `Cut`.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        packed, wanted, chosen = args
        args = cgutils.unpack_tuple(builder, packed)
        quads = args[8]
        for rows, cut, single in product((6, 1), Cut, (True, False)):
            match = builder.and_(
                builder.icmp_signed("==", wanted, _I64(rows)),
                builder.icmp_signed("==", chosen, _I64(int(cut))),
            )
            alone = builder.icmp_signed("==" if single else "!=", quads, _I64(1))
            with builder.if_then(builder.and_(match, alone)):
                _emit_beats(builder, args, rows, cut, single=single)
        return context.get_dummy_value()

    return types.void(types.UniTuple(types.intp, 13), types.intp, types.intp), generate


def _emit_pairs(builder: Any, args: Any, rows: int, *, short: bool) -> None:
    """Emit `pair_rows` for one number of rows, and for weights whose products are short or not."""
    x, stride, panel, groups, start, target, pitch = args
    spots = [(row, part) for row in range(rows) for part in range(2)]
    sums = {spot: cgutils.alloca_once(builder, _V8) for spot in spots}
    ones = ir.Constant(_V16_16, [1] * 16)

    def dot(left: Any, right: Any) -> Any:
        return _call(builder, "llvm.x86.avx2.pmadd.wd", _V8, left, right)

    def halves(quads: Any, *, signed: bool) -> tuple[Any, Any]:
        """Bytes 0 and 2, and 1 and 3, of each lane as words."""
        words = builder.bitcast(quads, _V16_16)
        eight = ir.Constant(_V16_16, [8] * 16)
        if signed:
            return builder.ashr(builder.shl(words, eight), eight), builder.ashr(words, eight)
        return builder.and_(words, ir.Constant(_V16_16, [255] * 16)), builder.lshr(words, eight)

    for half in range(2):
        for (_, part), place in sums.items():
            builder.store(_load(builder, start, 64 * half + 32 * part, _V8, 4), place)
        with cgutils.for_range(builder, builder.mul(groups, _I64(16))) as loop:
            group = builder.mul(builder.lshr(loop.index, _I64(4)), _I64(2048))
            within = builder.mul(builder.and_(loop.index, _I64(15)), _I64(64))
            weights = builder.add(panel, builder.add(group, within))
            source = builder.add(x, builder.mul(loop.index, _I64(4)))
            pair = [_load(builder, weights, 1024 * half + 32 * part, _V8, 32) for part in range(2)]
            if not short:
                split = [halves(quads, signed=True) for quads in pair]
            for row in range(rows):
                offset = builder.mul(stride, _I64(row))
                word = _load(builder, source, offset, _I32, 1)
                quads = builder.insert_element(ir.Constant(_V8, [0] * 8), word, _I32(0))
                quads = builder.shuffle_vector(quads, quads, ir.Constant(_V8, [0] * 8))
                if not short:
                    even, odd = halves(quads, signed=False)
                for part in range(2):
                    if short:
                        operands = (builder.bitcast(v, _V32_8) for v in (quads, pair[part]))
                        name = "llvm.x86.avx2.pmadd.ub.sw"
                        added = dot(_call(builder, name, _V16_16, *operands), ones)
                    else:
                        added = builder.add(dot(even, split[part][0]), dot(odd, split[part][1]))
                    total = builder.load(sums[row, part], typ=_V8)
                    builder.store(builder.add(total, added), sums[row, part])
        for (row, part), place in sums.items():
            offset = builder.add(builder.mul(pitch, _I64(row)), _I64(64 * half + 32 * part))
            value = builder.load(place, typ=_V8)
            builder.store(value, _pointer(builder, target, offset), align=4)


@intrinsic
def pair_rows(typing: Any, places: Any, rows: Any, short: Any) -> Any:
    """Products of 4 rows or 1 and a panel with AVX2.

    Arguments: those of the rows of VNNI, with groups of 64 inputs for quads; number of rows,
    whether 16 bits hold two products.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        packed, wanted, short = args
        args = cgutils.unpack_tuple(builder, packed)
        for rows, flag in product((4, 1), (True, False)):
            match = builder.icmp_signed("==", wanted, _I64(rows))
            fits = builder.icmp_unsigned("==", short, ir.IntType(1)(flag))
            with builder.if_then(builder.and_(match, fits)):
                _emit_pairs(builder, args, rows, short=flag)
        return context.get_dummy_value()

    return types.void(types.UniTuple(types.intp, 7), types.intp, types.boolean), generate


dot_12_rows, dot_4_rows, dot_row = _dot_rows(12, 1), _dot_rows(4, 2), _dot_rows(1, 4)
dot_16_rows_half = _dot_rows(16, 1, 1)


@intrinsic
def gather(typing: Any, table: Any, source: Any, target: Any) -> Any:
    """Sixteen entries of a table of 32 bits, from addresses of 16 indices, to an address."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        table, source, target = args
        name, everyone = "llvm.x86.avx512.mask.gather.dpi.512", ir.VectorType(ir.IntType(1), 16)
        mask = ir.Constant(everyone, [1] * 16)
        indices = _load(builder, source, 0, _V16, 4)
        found = _call(builder, name, _V16, _ZERO, _pointer(builder, table), indices, mask, _I32(4))
        builder.store(found, _pointer(builder, target), align=4)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), generate


@intrinsic
def shift_right(typing: Any, value: Any, shift: Any) -> Any:
    """``value`` >> ``shift`` on 32 bits, for which numba's own operator takes 64."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ashr(*args)

    return types.int32(types.int32, types.int32), generate


def wide_vectors() -> None:
    """Let LLVM use registers of 512 bits for the loops of the function that this stands in.

    It prefers 256 on processors whose clock once suffered from more. The attribute is unknown to
    llvmlite, hence the call of `set`; other targets ignore it.
    """


@overload(wide_vectors, inline="always")
def _wide_vectors_overload() -> Any:
    return lambda: _wide_vectors()


@intrinsic
def _wide_vectors(typing: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.void(), generate
