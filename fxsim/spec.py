"""One YAML file -> one frozen, validated `NetworkSpec`.

Every key has a type, a default and a range here; an unknown key is an error that names the nearest
known one. Errors end with the file and the key path: ``(models/x.yaml: layers[2].hardware.simd)``.
"""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fxsim.errors import SpecError
from fxsim.files import read_yaml
from fxsim.formats import AccumulatorMode, IntFormat, MemoryStyle, Overflow, Rounding
from fxsim.names import check_identifier

Size = Annotated[int, Field(ge=1, le=1 << 16)]
Positive = Annotated[float, Field(gt=0)]


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class FormatSpec(_Model):
    """Word length and signedness of an activation."""

    bits: Annotated[int, Field(ge=1, le=16)] = 8
    signed: bool = False
    narrow: bool = False

    @property
    def format(self) -> IntFormat:
        """The integer format that these keys describe."""
        return IntFormat(bits=self.bits, signed=self.signed, narrow=self.narrow)


class InputSpec(FormatSpec):
    """Shape of one sample and the format that it is quantized to."""

    shape: Annotated[tuple[Size, ...], Field(min_length=1, max_length=1)]


class WeightsSpec(_Model):
    """Number of quantization levels (odd), and whether the scale is per tensor or per channel."""

    levels: Annotated[int, Field(ge=3, le=(1 << 16) - 1)] = 255
    per: Literal["tensor", "channel"] = "tensor"


class AccumulatorSpec(_Model):
    """Overflow of the accumulator; ``bits`` is given for wrap and saturate, proven for wide."""

    overflow: AccumulatorMode = AccumulatorMode.WIDE
    bits: Annotated[int, Field(ge=2, le=62)] | None = None


class RequantizeSpec(_Model):
    """Accumulator to activation: multiplier word length (0: a plain shift), overflow, rounding."""

    multiplier_bits: Annotated[int, Field(ge=0, le=32)] = 16
    overflow: Overflow = Overflow.SATURATE
    rounding: Rounding | None = None


class HardwareSpec(_Model):
    """Folding: output lanes (``rows``) and input lanes (``simd``) of the MAC array.

    Both must divide the layer, unless ``pad`` fills the last tile and beat with idle lanes. ``dsp``
    is whether multipliers are meant for DSP blocks or for LUTs; ternary layers have none.
    ``memory`` is what the weight memory is made of.
    """

    rows: Size = 1
    simd: Size = 1
    pad: bool = False
    dsp: bool = True
    memory: MemoryStyle = MemoryStyle.AUTO


class LinearSpec(_Model):
    """A fully connected layer; without ``output`` (last layer only) it yields raw accumulators."""

    type: Literal["linear"]
    name: str | None = None
    units: Size
    weights: WeightsSpec = WeightsSpec()
    nonlinearity: Literal["none", "relu"] = "none"
    output: FormatSpec | None = None
    accumulator: AccumulatorSpec = AccumulatorSpec()
    requantize: RequantizeSpec = RequantizeSpec()
    hardware: HardwareSpec | None = None


class OptimizerSpec(_Model):
    """Optimizer of the PyTorch training and its parameters."""

    type: Literal["sgd", "adam"] = "sgd"
    lr: Positive = 0.02
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = True
    weight_decay: Annotated[float, Field(ge=0)] = 0.0


class TrainSpec(_Model):
    """Float training; the learning rate falls exponentially to ``final_lr`` times its start."""

    optimizer: OptimizerSpec = OptimizerSpec()
    batch: Size = 128
    epochs: Size = 30
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    final_lr: Annotated[float, Field(gt=0, le=1)] = 0.05
    seed: Annotated[int, Field(ge=0, lt=1 << 32)] = 1


class RetrainSpec(_Model):
    """Retraining with quantized weights: step size ``fixed``, or ``adaptive`` in the first half."""

    scheme: Literal["fixed", "adaptive"] = "fixed"
    optimizer: OptimizerSpec = OptimizerSpec(lr=0.005)
    epochs: Size = 10
    final_lr: Annotated[float, Field(gt=0, le=1)] = 0.05


class NetworkSpec(_Model):
    """A whole network as the user writes it; see the class of each key for its defaults."""

    name: str
    data: str
    input: InputSpec
    layers: Annotated[tuple[LinearSpec, ...], Field(min_length=1, max_length=256)]
    rounding: Rounding = Rounding.TIES_AWAY
    hardware: HardwareSpec = HardwareSpec()
    train: TrainSpec = TrainSpec()
    retrain: RetrainSpec | None = None

    def layer_name(self, index: int) -> str:
        """Name of a layer; ``layer<index>`` unless the file says otherwise."""
        return self.layers[index].name or f"layer{index}"

    def layer_hardware(self, index: int) -> HardwareSpec:
        """Folding of a layer: its own, else the network's."""
        return self.layers[index].hardware or self.hardware

    def layer_rounding(self, index: int) -> Rounding:
        """Rounding of a layer's requantization: its own, else the network's."""
        return self.layers[index].requantize.rounding or self.rounding

    def layer_inputs(self, index: int) -> int:
        """Number of inputs of a layer."""
        return self.layers[index - 1].units if index else self.input.shape[0]


def load_spec(path: Path) -> NetworkSpec:
    """Read a specification.

    Raises
    ------
    FileError
        If the file cannot be read as YAML.
    SpecError
        If a key is unknown, missing, of the wrong type or breaks a constraint.
    """
    return parse_spec(read_yaml(path), str(path))


def parse_spec(value: Any, source: str) -> NetworkSpec:
    """Validate plain values (from YAML); ``source`` names them in errors."""
    if not isinstance(value, dict):
        raise SpecError(f"a specification must be a mapping, not {type(value).__name__} ({source})")
    try:
        # The JSON route is the strict one that still takes lists for tuples and text for enums.
        spec = NetworkSpec.model_validate_json(json.dumps(value))
    except ValidationError as error:
        raise SpecError(_explain(error, value, source)) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise SpecError(f"values must be plain YAML ({error}) ({source})") from None
    _check(spec, source)
    return spec


def _key_path(location: tuple[int | str, ...]) -> str:
    text = "".join(
        f".{part}" if isinstance(part, str) and part.isidentifier() else f"[{part!r}]"
        for part in location
    )
    return text.removeprefix(".")


def _fields_at(location: tuple[int | str, ...]) -> list[str]:
    model: Any = NetworkSpec
    for part in location:
        if isinstance(part, str):
            model = model.model_fields[part].annotation
        while not hasattr(model, "model_fields"):
            model = next(arg for arg in get_args(model) if arg is not type(None))
    return list(model.model_fields)


def _explain(error: ValidationError, value: Any, source: str) -> str:
    first = error.errors(include_url=False)[0]
    location = first["loc"]
    where = f"({source}: {_key_path(location)})" if location else f"({source})"
    named = max((i for i, part in enumerate(location) if isinstance(part, str)), default=0)
    key = _key_path(location[named:])
    if first["type"] == "json_invalid":
        return f"values must be plain YAML ({first['msg']}) {where}"
    if first["type"] == "extra_forbidden":
        known = _fields_at(location[:-1])
        near = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        return f"unknown key {str(location[-1])!r}; {hint} {where}"
    if first["type"] == "missing":
        return f"{key} is missing {where}"
    if first["type"] in {"too_short", "too_long"}:
        least, most = (first["ctx"].get(f"{which}_length") for which in ("min", "max"))
        limit = f"at least {least}" if most is None else f"at most {most}"
        noun = "item" if (least or most) == 1 else "items"
        return f"{key} must have {limit} {noun}, not {first['ctx']['actual_length']} {where}"
    problem = first["msg"].removeprefix("Input should be ")
    shown = repr(first["input"])
    return (
        f"{key} must be {problem}, not {shown[:77] + '...' if len(shown) > 80 else shown} {where}"
    )


def _check(spec: NetworkSpec, source: str) -> None:
    """Constraints between keys."""

    def fail(message: str, path: str) -> None:
        raise SpecError(f"{message} ({source}: {path})")

    def named(name: str, path: str) -> None:
        try:
            check_identifier(name, path.rsplit(".", 1)[-1])
        except SpecError as error:
            fail(str(error), path)

    named(spec.name, "name")
    if spec.input.narrow:
        _check_narrow(spec.input, Overflow.SATURATE, "input", fail)
    seen: dict[str, int] = {}
    for i, layer in enumerate(spec.layers):
        here = f"layers[{i}]"
        name = spec.layer_name(i)
        named(name, f"{here}.name")
        if name.lower() in seen:
            fail(
                f"name must be unique, but layers[{seen[name.lower()]}] is"
                f" {spec.layer_name(seen[name.lower()])!r} too",
                f"{here}.name",
            )
        seen[name.lower()] = i
        if layer.weights.levels % 2 == 0:
            fail(f"levels must be odd, not {layer.weights.levels}", f"{here}.weights.levels")
        accumulator = layer.accumulator
        if (accumulator.overflow is AccumulatorMode.WIDE) != (accumulator.bits is None):
            fail(
                f"bits must be {'left out' if accumulator.bits else 'given'} when overflow is"
                f" {accumulator.overflow}",
                f"{here}.accumulator.bits",
            )
        if layer.output is not None:
            if layer.output.narrow:
                _check_narrow(layer.output, layer.requantize.overflow, f"{here}.output", fail)
        elif i < len(spec.layers) - 1:
            fail(
                "output is missing: only the last layer may yield raw accumulators",
                f"{here}.output",
            )
        elif layer.nonlinearity != "none":
            fail("output must be given with a nonlinearity", f"{here}.output")
        elif layer.weights.per == "channel":
            fail(
                "per must be 'tensor' without an output: raw accumulators need one common scale",
                f"{here}.weights.per",
            )
        if layer.weights.per == "channel" and layer.requantize.multiplier_bits == 0:
            fail(
                "per must be 'tensor' with a plain shift (multiplier_bits: 0): all channels share"
                " one scale ratio",
                f"{here}.weights.per",
            )
        folding = spec.layer_hardware(i)
        base = f"{here}.hardware" if layer.hardware else "hardware"
        for key, lanes, size in (
            ("rows", folding.rows, layer.units),
            ("simd", folding.simd, spec.layer_inputs(i)),
        ):
            if lanes > size:
                fail(f"{key} must be at most {size}, not {lanes}", f"{base}.{key}")
            if size % lanes and not folding.pad:
                fail(f"{key} must divide {size}, not {lanes} (or set pad: true)", f"{base}.{key}")


def _check_narrow(fmt: FormatSpec, overflow: Overflow, path: str, fail: Any) -> None:
    if not fmt.signed or fmt.bits < 2:
        fail("narrow must be used with signed formats of 2 bits or more", f"{path}.narrow")
    if overflow is Overflow.WRAP:
        fail("narrow must not be combined with overflow: wrap", f"{path}.narrow")
