"""One YAML file -> one frozen, validated `NetworkSpec`.

Every key has a type, a default and a range here; an unknown key is an error that names the nearest
known one. Errors end with the file and the key path: ``(models/x.yaml: layers[2].hardware.simd)``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from fxsim.arguments import as_path
from fxsim.errors import SpecError
from fxsim.files import read_yaml
from fxsim.spec.add import AddSpec
from fxsim.spec.argmax import ArgmaxSpec
from fxsim.spec.check import check_network
from fxsim.spec.common import HardwareSpec, ProductSpec, RequantizeSpec
from fxsim.spec.concat import ConcatSpec
from fxsim.spec.convolution import ConvolutionSpec
from fxsim.spec.errors import explain
from fxsim.spec.flatten import FlattenSpec
from fxsim.spec.formats import FormatSpec, InputSpec, OutputSpec
from fxsim.spec.kind import Product
from fxsim.spec.linear import LinearSpec
from fxsim.spec.lstm import LstmSpec, ProjectionSpec
from fxsim.spec.network import INPUT, LAYER_TYPES, LayerSpec, NetworkSpec
from fxsim.spec.pool import AveragePoolSpec, MaxPoolSpec
from fxsim.spec.rescale import RescaleSpec
from fxsim.spec.resize import ResizeSpec
from fxsim.spec.train import (
    OptimizerSpec,
    PlateauSpec,
    RetrainSpec,
    SparsifySpec,
    TrainSpec,
    WordsSpec,
)
from fxsim.spec.weights import WeightsSpec

__all__ = [
    "INPUT",
    "LAYER_TYPES",
    "AddSpec",
    "ArgmaxSpec",
    "AveragePoolSpec",
    "ConcatSpec",
    "ConvolutionSpec",
    "FlattenSpec",
    "FormatSpec",
    "HardwareSpec",
    "InputSpec",
    "LayerSpec",
    "LinearSpec",
    "LstmSpec",
    "MaxPoolSpec",
    "NetworkSpec",
    "OptimizerSpec",
    "OutputSpec",
    "PlateauSpec",
    "Product",
    "ProductSpec",
    "ProjectionSpec",
    "RequantizeSpec",
    "RescaleSpec",
    "ResizeSpec",
    "RetrainSpec",
    "SparsifySpec",
    "TrainSpec",
    "WeightsSpec",
    "WordsSpec",
    "load_spec",
    "parse_spec",
]


def load_spec(path: str | Path) -> NetworkSpec:
    """Read a specification.

    Raises
    ------
    FileError
        If the file cannot be read as YAML.
    SpecError
        If a key is unknown, missing, of the wrong type or breaks a constraint.
    """
    return parse_spec(read_yaml(as_path(path, "path")), str(path))


def parse_spec(value: Any, source: str) -> NetworkSpec:
    """Validate plain values (from YAML); ``source`` names them in errors."""
    if not isinstance(value, dict):
        raise SpecError(f"a specification must be a mapping, not {type(value).__name__} ({source})")
    try:
        # The JSON route is the strict one that still takes lists for tuples and text for enums.
        spec = NetworkSpec.model_validate_json(json.dumps(value))
    except ValidationError as error:
        raise SpecError(explain(error, value, source, NetworkSpec, LAYER_TYPES)) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise SpecError(f"values must be plain YAML ({error}) ({source})") from None

    def fail(message: str, path: str) -> NoReturn:
        raise SpecError(f"{message} ({source}: {path})")

    check_network(spec, fail)
    return spec
