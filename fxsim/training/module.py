"""A `NetworkSpec` as a torch module; its forward pass can quantize weights and activations."""

from __future__ import annotations

from typing import assert_never

import torch
from torch import nn

from fxsim.spec.specification import (
    INPUT,
    AddSpec,
    ArgmaxSpec,
    AveragePoolSpec,
    ConvolutionSpec,
    FlattenSpec,
    LayerSpec,
    LinearSpec,
    LstmSpec,
    MaxPoolSpec,
    NetworkSpec,
)
from fxsim.spec.weight_groups import weight_groups
from fxsim.training.activations import Quantizer, rounded
from fxsim.training.layers.add import Add
from fxsim.training.layers.convolution import Convolution
from fxsim.training.layers.flatten import Flatten
from fxsim.training.layers.linear import Linear
from fxsim.training.layers.lstm import Lstm
from fxsim.training.layers.pool import AveragePool, MaxPool
from fxsim.training.product import Product


def _module(spec: NetworkSpec, index: int, layer: LayerSpec, power: float | None) -> nn.Module:
    """Module of a layer of a network; ``power`` is that of `Network`."""
    inputs, shape = spec.layer_inputs(index), spec.layer_shape(index)
    own = inputs if index or not power else power
    match layer:
        case LstmSpec():
            return Lstm(layer, inputs, own, spec.train.sparsify)
        case LinearSpec():
            linear = Linear(layer, inputs)
            if spec.recurrent and index == 0:  # an embedding: outputs of variance 1 for an LSTM
                nn.init.normal_(linear.weight, std=own**-0.5)
            return linear
        case ConvolutionSpec():
            return Convolution(layer, layer.windows(shape))
        case MaxPoolSpec():
            return MaxPool(layer.windows(shape))
        case AveragePoolSpec():
            return AveragePool(layer.windows(shape))
        case FlattenSpec():
            return Flatten()
        case AddSpec():
            return Add(layer)
        case ArgmaxSpec():
            return nn.Identity()  # `Network` ends before it, with a value for each class
        case _:
            assert_never(layer)


class Network(nn.Module):
    """A chain of layers with dropout between them, and shortcuts; up to an argmax at the end.

    ``leaving`` is how the input (`fxsim.spec.specification.INPUT`) and what layers yield are
    rounded, by name; before dropout, so that this sees the words of the hardware. What is missing
    stays float.

    Parameters
    ----------
    spec : NetworkSpec
    power : float, optional
        Mean squared norm of an input vector; the number of inputs when left out.
    """

    def __init__(self, spec: NetworkSpec, power: float | None = None) -> None:
        super().__init__()
        self.spec = spec
        self.kept_float = spec.retrain.float_layers if spec.retrain else ()
        self.layers = nn.ModuleList()
        for i, layer in enumerate(spec.layers[: spec.last + 1]):
            self.layers.append(_module(spec, i, layer, power))
        self.dropout = spec.train.dropout
        self.leaving: dict[str, Quantizer] = {}
        for product in self.linears():
            product.float_backward = bool(spec.retrain and spec.retrain.backward == "float")

    def linears(self) -> list[Product]:
        """Every matrix product of every layer, in the order of `NetworkSpec.products`."""
        return [module for module in self.modules() if isinstance(module, Product)]

    def quantized(self) -> list[Product]:
        """Those of `linears` that retraining quantizes."""
        groups = {name: group for group, name in weight_groups(self.spec).items()}
        return [
            product
            for place, product in zip(self.spec.products, self.linears(), strict=True)
            if not {self.spec.layer_name(place.layer), groups[place.name]} & set(self.kept_float)
        ]

    @property
    def lstms(self) -> list[Lstm]:
        """The LSTM layers, from the input on."""
        return [layer for layer in self.layers if isinstance(layer, Lstm)]

    def reset_state(self) -> None:
        """Start every sequence anew."""
        for layer in self.lstms:
            layer.state = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of samples (n, *input shape), or (n, t, inputs) with LSTM layers."""
        last = len(self.layers) - 1
        x = rounded(x, self.leaving.get(INPUT))
        yielded = {INPUT: x}
        for i, layer in enumerate(self.layers):
            name = self.spec.layer_name(i)
            x = layer(x, *(yielded[start] for start in self.spec.layers[i].shortcuts))
            x = rounded(x, self.leaving.get(name))
            if i < last:
                x = nn.functional.dropout(x, self.dropout, self.training)
            yielded[name] = x
        return x
