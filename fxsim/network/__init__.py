"""Quantized networks, integers and formats only: the single source of truth."""

from fxsim.arithmetic.tables import Nonlinearity, Table
from fxsim.arithmetic.tensors import Activation, FloatArray, IntArray
from fxsim.arithmetic.windows import Windows
from fxsim.network.add import QuantizedAdd, add_bounds
from fxsim.network.argmax import Argmax
from fxsim.network.concat import Concat
from fxsim.network.convolution import QuantizedConvolution
from fxsim.network.graph import INPUT
from fxsim.network.layer import Layer, LayerKind
from fxsim.network.linear import (
    Accumulator,
    Folding,
    QuantizedLinear,
    accumulator_bounds,
)
from fxsim.network.lstm import QuantizedLstm
from fxsim.network.pool import MaxPool
from fxsim.network.quantized import InputQuantizer, QuantizedNetwork
from fxsim.network.rescale import Rescale
from fxsim.network.resize import Resize
from fxsim.network.tail import Tail, varies
from fxsim.network.tensor_type import TensorType

__all__ = [
    "INPUT",
    "Accumulator",
    "Activation",
    "Argmax",
    "Concat",
    "FloatArray",
    "Folding",
    "InputQuantizer",
    "IntArray",
    "Layer",
    "LayerKind",
    "MaxPool",
    "Nonlinearity",
    "QuantizedAdd",
    "QuantizedConvolution",
    "QuantizedLinear",
    "QuantizedLstm",
    "QuantizedNetwork",
    "Rescale",
    "Resize",
    "Table",
    "Tail",
    "TensorType",
    "Windows",
    "accumulator_bounds",
    "add_bounds",
    "varies",
]
