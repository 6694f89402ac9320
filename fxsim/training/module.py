"""A `NetworkSpec` as a torch module; its forward pass can quantize weights and activations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

import torch
from torch import nn

from fxsim.floats.ports import by_name
from fxsim.spec.specification import (
    AddSpec,
    ArgmaxSpec,
    AveragePoolSpec,
    ConcatSpec,
    ConvolutionSpec,
    FlattenSpec,
    LayerSpec,
    LinearSpec,
    LstmSpec,
    MaxPoolSpec,
    NetworkSpec,
    RescaleSpec,
    ResizeSpec,
)
from fxsim.spec.weight_groups import weight_groups
from fxsim.training.activations import Quantizer, rounded
from fxsim.training.layers.add import Add
from fxsim.training.layers.concat import Concat
from fxsim.training.layers.convolution import Convolution
from fxsim.training.layers.flatten import Flatten
from fxsim.training.layers.linear import Linear
from fxsim.training.layers.lstm import Lstm
from fxsim.training.layers.pool import AveragePool, MaxPool
from fxsim.training.layers.rescale import Rescale
from fxsim.training.layers.resize import Resize
from fxsim.training.product import Product


def _module(spec: NetworkSpec, index: int, layer: LayerSpec, power: float | None) -> nn.Module:
    """Module of a layer of a network; ``power`` is that of `Network`."""
    inputs, shape = spec.layer_inputs(index), spec.layer_shape(index)
    fed = spec.is_input(spec.layer_sources(index)[0])
    own = power if fed and power else inputs
    match layer:
        case LstmSpec():
            return Lstm(layer, inputs, own, spec.train.sparsify)
        case LinearSpec():
            linear = Linear(layer, inputs)
            if spec.recurrent and fed:  # an embedding: outputs of variance 1 for an LSTM
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
        case RescaleSpec():
            return Rescale(layer)
        case ResizeSpec():
            return Resize(layer)
        case ConcatSpec():
            return Concat()
        case AddSpec():
            return Add(layer)
        case ArgmaxSpec():
            return nn.Identity()  # `Network` yields what it takes, a value for each class
        case _:
            assert_never(layer)


class Network(nn.Module):
    """A graph of layers with dropout between them; of an argmax what it takes.

    ``leaving`` is how inputs and what layers yield are rounded, by name; before dropout, so that
    this sees the words of the hardware. What is missing stays float.

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
        for i, layer in enumerate(spec.layers):
            self.layers.append(_module(spec, i, layer, power))
        self.graph = spec.graph
        self._released = self.graph.released()
        self._brought = [
            {source: spec.brought_name(i, source) for source in taken} if layer.alike else {}
            for i, (layer, taken) in enumerate(zip(spec.layers, self.graph.sources, strict=True))
        ]
        edges = zip(spec.layers, self.graph.sources, strict=True)
        self._dropped = {name for layer, taken in edges for name in taken if not layer.classifies}
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

    def forward(self, x: torch.Tensor | Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Logits, the values of the only output, as `forward_outputs` has them.

        Raises
        ------
        SpecError
            If the network has several outputs.
        """
        return self.forward_outputs(x)[self.spec.output]

    def forward_outputs(
        self, x: torch.Tensor | Mapping[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """Values of every output by name.

        Parameters
        ----------
        x : tensor, shape (n, *input shape), or a mapping of them by name
            With LSTM layers (n, t, *input shape).
        """
        graph = self.graph
        yielded = {
            name: rounded(samples, self.leaving.get(name))
            for name, samples in by_name(x, graph.inputs, "x").items()
        }
        found: dict[str, torch.Tensor] = {}
        for i, (name, released) in enumerate(zip(graph.layers, self._released, strict=True)):
            brought = self._brought[i]
            operands = [
                rounded(yielded[source], self.leaving.get(brought.get(source, "")))
                for source in graph.sources[i]
            ]
            values = self._layer(i, operands)
            values = rounded(values, self.leaving.get(name))
            if name in graph.outputs:
                found[name] = values
            if name in self._dropped:
                values = nn.functional.dropout(values, self.dropout, self.training)
            yielded[name] = values
            for gone in released:
                del yielded[gone]
        return found

    def _layer(self, index: int, operands: list[torch.Tensor]) -> torch.Tensor:
        """Outputs of a layer; sequences of images enter it as so many more images."""
        sequences = operands[0].ndim == 5
        taken = [x.flatten(0, 1) for x in operands] if sequences else operands
        values: torch.Tensor = self.layers[index](*taken)
        return values.reshape(*operands[0].shape[:2], *values.shape[1:]) if sequences else values
