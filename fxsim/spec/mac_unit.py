"""YAML of ``kind: mac-array`` -> `fxsim.network.mac_unit.MacUnit`; errors are as for networks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from fxsim.arithmetic.codes import AnyCode, parse_code
from fxsim.arithmetic.formats import AccumulatorMode, IntFormat, MemoryStyle
from fxsim.errors import ConfigError, RangeError, SpecError
from fxsim.files import read_yaml
from fxsim.network import Accumulator, Activation, Folding, IntArray, QuantizedLinear, Tail
from fxsim.network.linear import accumulator_bounds
from fxsim.network.mac_unit import MacUnit, any_weight_bounds
from fxsim.spec.common import AccumulatorSpec
from fxsim.spec.formats import Fail, Model, Size
from fxsim.spec.unit import (
    ScaleSpec,
    SignedFormatSpec,
    SourceSpec,
    check_name,
    check_wide,
    failing,
    parse_unit,
    read_integers,
)

KIND = "mac-array"


class CodedSpec(SourceSpec):
    """Weights of shape (outputs, inputs), and their code.

    ``load`` lets them be replaced over a stream; those given are then what is there after power-up.
    """

    code: str = "int8n"
    load: bool = False


class BiasSpec(SourceSpec):
    """Start values of the accumulators: integers of ``bits``, shape (outputs,)."""

    bits: Annotated[int, Field(ge=2, le=32)] = 16


class MacArraySpec(Model):
    """A unit as the user writes it; see docs/mac-array.md."""

    kind: Literal["mac-array"]
    name: str
    outputs: Size
    inputs: Size
    rows: Size
    simd: Size
    columns: Annotated[int, Field(ge=1, le=256)] = 1
    activation: SignedFormatSpec = SignedFormatSpec()
    weights: CodedSpec
    bias: BiasSpec | None = None
    accumulator: AccumulatorSpec = AccumulatorSpec()
    requantize: ScaleSpec | None = None
    relu: bool = False
    output: SignedFormatSpec | None = None
    dsp: bool = True
    memory: MemoryStyle = MemoryStyle.AUTO


def load_mac_unit(path: Path) -> MacUnit:
    """Read the specification of a unit, its weights and its bias.

    Raises
    ------
    FileError
        If a file cannot be read.
    SpecError
        If a key is unknown, missing, of the wrong type or breaks a constraint.
    """
    spec, fail = parse_mac_spec(read_yaml(path), str(path)), failing(path)
    code = _code(spec, fail)
    weights, bias = _weights(spec, code, path), _bias(spec, path)
    accumulator = _accumulator(spec, code, weights, bias, fail)
    tail, output = _end(spec, accumulator, fail)
    try:
        layer = QuantizedLinear(
            name=spec.name,
            weight=weights,
            code=code,
            weight_scale=np.ones(1),
            bias=bias,
            input=Activation(format=spec.activation.format, scale=1.0),
            accumulator=accumulator,
            tail=tail,
            output=output,
            folding=Folding(
                rows=spec.rows,
                simd=spec.simd,
                pad=code.pads,
                dsp=spec.dsp,
                memory=spec.memory,
            ),
        )
        return MacUnit(layer=layer, columns=spec.columns, loadable=spec.weights.load)
    except RangeError as error:
        raise SpecError(f"{error} ({path})") from None


def parse_mac_spec(value: Any, source: str) -> MacArraySpec:
    """Validate plain values (from YAML); ``source`` names them in errors."""
    return parse_unit(MacArraySpec, _check, value, source)


def _check(spec: MacArraySpec, fail: Fail) -> None:
    """Constraints between keys."""
    check_name(spec.name, fail)
    spec.weights.check(fail, "weights")
    if spec.bias is not None:
        spec.bias.check(fail, "bias")
    code = _code(spec, fail)
    for key, lanes, name, size in (
        ("rows", spec.rows, "outputs", spec.outputs),
        ("simd", spec.simd, "inputs", spec.inputs),
    ):
        if lanes > size:
            fail(f"{key} must be at most {name} ({size}), not {lanes}", key)
        if size % lanes and not code.pads:
            why = f"with {code} weights, which have no 0"
            fail(f"{key} must divide {name} ({size}) {why}, not {lanes}", key)
    _check_formats(spec, fail)


def _check_formats(spec: MacArraySpec, fail: Fail) -> None:
    check_wide(spec.activation, fail, "activation")
    accumulator = spec.accumulator
    if (accumulator.overflow is AccumulatorMode.WIDE) != (accumulator.bits is None):
        verb = "left out" if accumulator.bits else "given"
        message = f"bits must be {verb} when overflow is {accumulator.overflow}"
        fail(message, "accumulator.bits")
    if spec.output is not None:
        check_wide(spec.output, fail, "output")
    elif spec.requantize is not None or spec.relu:
        key = "relu" if spec.requantize is None else "requantize"
        fail(f"output must be given with {key}: without it raw accumulators leave", "output")


def _code(spec: MacArraySpec, fail: Fail) -> AnyCode:
    """Code of the weights; ``ternary`` is another name of int2n."""
    text = spec.weights.code
    try:
        code = parse_code("int2n" if text == "ternary" else text)
    except ConfigError as error:
        fail(str(error), "weights.code")
    # The multipliers of integers have these widths; others have none.
    if code.multiplies and not 2 <= code.bits <= 16:
        fail(f"weight code must be from int2 to int16, not {text!r}", "weights.code")
    return code


def _weights(spec: MacArraySpec, code: AnyCode, path: Path) -> IntArray:
    shape = (spec.outputs, spec.inputs)
    if spec.weights.file is None:
        return np.random.default_rng(spec.weights.seed).choice(code.weights, shape)
    fail, place = failing(path), "weights.file"
    weights = read_integers(spec.weights.file, path, shape, code.format, fail, place)
    try:
        code.check(weights, spec.weights.file)
    except RangeError as error:
        fail(str(error), place)
    return weights


def _bias(spec: MacArraySpec, path: Path) -> IntArray:
    if spec.bias is None:
        return np.zeros(spec.outputs, np.int64)
    fmt, shape = IntFormat(bits=spec.bias.bits, signed=True), (spec.outputs,)
    if spec.bias.file is None:
        generator = np.random.default_rng(spec.bias.seed)
        return generator.integers(fmt.min, fmt.max, shape, endpoint=True)
    return read_integers(spec.bias.file, path, shape, fmt, failing(path), "bias.file")


def _accumulator(
    spec: MacArraySpec, code: AnyCode, weights: IntArray, bias: IntArray, fail: Fail
) -> Accumulator:
    """Accumulator of the given bits, or as wide as the weights (any with ``load``) need."""
    activation, bits = spec.activation.format, spec.accumulator.bits
    if bits is None:
        if spec.weights.load:
            low, high = any_weight_bounds(code, spec.inputs, bias, activation)
        else:
            low, high = accumulator_bounds(weights, bias, activation)
        bits = max(IntFormat.spanning(low, high, signed=True).bits, 2)
    fmt = IntFormat(bits=bits, signed=True)
    if not fmt.holds(int(bias.min()), int(bias.max())):
        reach = f"{bias.min()} to {bias.max()}"
        fail(f"accumulator of {bits} bits must hold the bias, which is {reach}", "accumulator.bits")
    return Accumulator(format=fmt, mode=spec.accumulator.overflow)


def _end(
    spec: MacArraySpec, accumulator: Accumulator, fail: Fail
) -> tuple[Tail | None, Activation]:
    """Tail of the sums, and the format of what leaves; without a tail the sum itself."""
    if spec.output is None:
        return None, Activation(format=accumulator.format, scale=1.0)
    scale, bits = spec.requantize or ScaleSpec(), accumulator.format.bits
    tail = scale.tail(bits, spec.output.bits, fail, relu=spec.relu)
    return tail, Activation(format=spec.output.format, scale=1.0)
