"""A `NetworkSpec` as a torch module; its forward pass can quantize weights and activations."""

from __future__ import annotations

import warnings
from typing import assert_never

import torch
from torch import nn

from fxsim.arithmetic.windows import Windows
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
    SparsifySpec,
)
from fxsim.spec.weight_groups import weight_groups
from fxsim.training.activations import Quantizer, rounded
from fxsim.training.lstm import Inputs, LstmFunction, Matrices, Untouched
from fxsim.training.product import Product
from fxsim.training.sparsify import Sparsifier


class Linear(Product):
    """A fully connected layer, with or without batch normalisation.

    Parameters
    ----------
    spec : LinearSpec
    inputs : int
    """

    def __init__(self, spec: LinearSpec, inputs: int) -> None:
        super().__init__(spec, spec.units, inputs)
        self.relu = spec.relu
        self.norm = nn.BatchNorm1d(spec.units) if spec.batch_norm else None
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs before dropout, nonlinearity applied."""
        bias = None if self.norm is not None else self.bias
        x = self.product(x, lambda x, weight: nn.functional.linear(x, weight, bias))
        x = self.normalised(x)
        return torch.relu(x) if self.relu else x


class Convolution(Product):
    """A convolution, with or without batch normalisation.

    Parameters
    ----------
    spec : ConvolutionSpec
    windows : Windows
    """

    def __init__(self, spec: ConvolutionSpec, windows: Windows) -> None:
        super().__init__(spec, spec.units, windows.size)
        self.windows = windows
        self.relu = spec.relu
        self.norm = nn.BatchNorm2d(spec.units) if spec.batch_norm else None
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs (n, units, rows, columns), nonlinearity applied."""
        windows = self.windows
        shape = (len(self.weight), *windows.kernel, windows.group_channels)
        bias = None if self.norm is not None else self.bias
        numbers = (windows.stride, windows.padding, 1, windows.groups)

        def apply(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
            weight = weight.reshape(shape).permute(0, 3, 1, 2)
            return nn.functional.conv2d(x, weight, bias, *numbers)

        x = self.product(x, apply)
        x = self.normalised(x)
        return torch.relu(x) if self.relu else x


class MaxPool(nn.Module):
    """The greatest value of each window.

    Parameters
    ----------
    windows : Windows
    """

    def __init__(self, windows: Windows) -> None:
        super().__init__()
        self.windows = windows

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs (n, channels, rows, columns)."""
        windows = self.windows
        return nn.functional.max_pool2d(x, windows.kernel, windows.stride, windows.padding)


class AveragePool(nn.Module):
    """The mean of each window.

    Parameters
    ----------
    windows : Windows
    """

    def __init__(self, windows: Windows) -> None:
        super().__init__()
        self.windows = windows

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs (n, channels, rows, columns)."""
        return nn.functional.avg_pool2d(x, self.windows.kernel, self.windows.stride)


class Flatten(nn.Module):
    """Images to vectors in the order of `fxsim.arithmetic.windows.Windows`."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Vectors (n, items) of images (n, channels, height, width)."""
        return x.permute(0, 2, 3, 1).flatten(1)


class Add(nn.Module):
    """The sum of two tensors.

    Parameters
    ----------
    spec : AddSpec
    """

    def __init__(self, spec: AddSpec) -> None:
        super().__init__()
        self.relu = spec.relu

    def forward(self, x: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Outputs of the shape of either, nonlinearity applied."""
        return torch.relu(x + other) if self.relu else x + other


class Lstm(nn.Module):
    """An LSTM layer that carries its state from call to call; gradients stop at its start.

    Parameters
    ----------
    spec : LstmSpec
    inputs : int
    power : float
        Mean squared norm of an input vector. W is drawn so that W x starts with variance 1: a
        one-hot input (power 1) needs far greater weights than a dense one.
    sparsify : SparsifySpec, optional
        What to do with gate gradients; without it the layer is that of torch.
    """

    def __init__(
        self, spec: LstmSpec, inputs: int, power: float, sparsify: SparsifySpec | None = None
    ) -> None:
        super().__init__()
        self.rule = None if sparsify is None else Sparsifier(sparsify)
        cells = spec.cells
        self.input_product = Product(spec, 4 * cells, inputs)
        self.hidden_product = Product(spec, 4 * cells, spec.units)
        self.projection: Product | None = None
        if (wanted := spec.projection) is not None:
            self.projection = Product(wanted, wanted.units, cells, biased=False)
            nn.init.uniform_(self.projection.weight, -(cells**-0.5), cells**-0.5)
        self.state: tuple[torch.Tensor, torch.Tensor] | None = None
        nn.init.normal_(self.input_product.weight, std=power**-0.5)
        nn.init.uniform_(self.hidden_product.weight, -(cells**-0.5), cells**-0.5)
        nn.init.ones_(self.input_product.bias[cells : 2 * cells])  # remember at first

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs (n, t, outputs) for inputs (n, t, inputs), from the state that was left."""
        gates, units = self.hidden_product.weight.shape
        if self.state is None:
            self.state = (x.new_zeros(1, len(x), units), x.new_zeros(1, len(x), gates // 4))
        products = (self.input_product, self.hidden_product)
        whole = [*products, *([] if self.projection is None else [self.projection])]
        mixed = any(p.float_backward and p.quantized for p in whole)
        if self.rule is not None or mixed or any(p.inputs is not None for p in whole):
            return self._step_by_step(x, whole, mixed=mixed)
        tensors = [p.real_weight() for p in products] + [p.bias for p in products]
        weights = [_torch_order(tensor) for tensor in tensors]
        if self.projection is not None:
            weights.append(self.projection.real_weight())
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "LSTM with projections")  # says that it is slower
            x, *state = torch.lstm(x, self.state, weights, True, 1, 0.0, False, False, True)
        self.state = (state[0].detach(), state[1].detach())
        return x

    def _step_by_step(
        self, x: torch.Tensor, products: list[Product], *, mixed: bool
    ) -> torch.Tensor:
        """`forward` by `LstmFunction`; ``mixed`` with float weights and inputs on the way back."""
        assert self.state is not None
        first, second = products[:2]
        ahead = Matrices(*[p.real_weight().detach() for p in products]) if mixed else None
        W, U, *P = [p.weight if mixed else p.real_weight() for p in products]
        taken = Inputs(
            x=first.taken(x).detach() if mixed else None,
            h=second.inputs,
            m=products[2].inputs if P else None,
        )
        before = (self.state[0][0], self.state[1][0])
        y, cell = LstmFunction.apply(  # type: ignore[no-untyped-call]
            *(x if mixed else first.taken(x), before, W, U, first.bias + second.bias),
            *(self.rule or Untouched(), P[0] if P else None, ahead, taken),
        )
        self.state = (y[None, :, -1].detach(), cell[None])
        return y  # type: ignore[no-any-return]


def _torch_order(tensor: torch.Tensor) -> torch.Tensor:
    """Rows of gates i, f, o, g in the order i, f, g, o of torch."""
    i, f, o, g = tensor.chunk(4)
    return torch.cat((i, f, g, o))


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
            return nn.Identity()  # training ends before it, with a value for each class
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
