"""A `NetworkSpec` as a torch module whose weights can be quantized in the forward pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from fxsim.network import FloatArray
from fxsim.quantize import quantize_weight, weight_scale
from fxsim.spec import (
    AveragePoolSpec,
    ConvolutionSpec,
    FlattenSpec,
    LinearSpec,
    LstmSpec,
    MaxPoolSpec,
    NetworkSpec,
)
from fxsim.spec_images import windows_of
from fxsim.windows import Windows


class QuantizeWeight(torch.autograd.Function):
    """Round a weight matrix to scale * `fxsim.quantize.quantize_weight`.

    The gradient passes straight through: weights are updated in float by what the quantized ones
    would have needed (Sung et al. 2015, section 2.3).
    """

    @staticmethod
    def forward(ctx: Any, weight: torch.Tensor, scale: FloatArray, levels: int) -> torch.Tensor:
        """Quantized real values of ``weight``, in its dtype."""
        q = quantize_weight(weight.numpy(), scale, levels)
        return torch.from_numpy(scale[:, None] * q).to(weight.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """Pass the gradient through."""
        return gradients[0], None, None


class Product(nn.Module):
    """Weight and bias of a matrix product, float until `refresh_scale` gives it a scale.

    Parameters
    ----------
    spec : LinearSpec, LstmSpec or ConvolutionSpec
        The layer that the product belongs to.
    outputs, inputs : int
    """

    def __init__(
        self, spec: LinearSpec | LstmSpec | ConvolutionSpec, outputs: int, inputs: int
    ) -> None:
        super().__init__()
        self.spec = spec
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale: FloatArray | None = None

    def folded(self) -> dict[str, FloatArray]:
        """Bias, and the gain where there is one, as a checkpoint holds them."""
        return {"bias": self.bias.detach().numpy().astype(np.float64)}

    def refresh_scale(self) -> None:
        """Quantize from now on, with the L2-optimal scale of the present weights."""
        self.scale = weight_scale(self.weight.detach().numpy(), self.spec)

    def real_weight(self) -> torch.Tensor:
        """The weight, quantized if there is a scale."""
        weight: torch.Tensor = self.weight
        if self.scale is not None:
            weight = QuantizeWeight.apply(  # type: ignore[no-untyped-call]
                weight, self.scale, self.spec.weights.levels
            )
        return weight


class Linear(Product):
    """A fully connected layer.

    Parameters
    ----------
    spec : LinearSpec
    inputs : int
    """

    def __init__(self, spec: LinearSpec, inputs: int) -> None:
        super().__init__(spec, spec.units, inputs)
        self.relu = spec.nonlinearity == "relu"
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs before dropout, nonlinearity applied."""
        x = nn.functional.linear(x, self.real_weight(), self.bias)
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
        self.relu = spec.nonlinearity == "relu"
        self.norm = nn.BatchNorm2d(spec.units) if spec.batch_norm else None
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs (n, units, rows, columns), nonlinearity applied."""
        windows = self.windows
        shape = (len(self.weight), *windows.kernel, windows.group_channels)
        x = nn.functional.conv2d(
            x,
            self.real_weight().reshape(shape).permute(0, 3, 1, 2),
            None if self.norm is not None else self.bias,
            windows.stride,
            windows.padding,
            1,
            windows.groups,
        )
        if self.norm is not None:
            x = self.norm(x)
        return torch.relu(x) if self.relu else x

    def folded(self) -> dict[str, FloatArray]:
        """Bias and gain of the batch normalisation with its running mean and variance."""
        norm = self.norm
        if norm is None:
            return super().folded()
        assert norm.running_mean is not None
        assert norm.running_var is not None
        gain = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).detach()
        bias = (norm.bias - gain * norm.running_mean).detach()
        return {
            "bias": bias.numpy().astype(np.float64),
            "gain": gain.numpy().astype(np.float64),
        }


class Pool(nn.Module):
    """The greatest value or the mean of each window.

    Parameters
    ----------
    spec : MaxPoolSpec or AveragePoolSpec
    windows : Windows
    """

    def __init__(self, spec: MaxPoolSpec | AveragePoolSpec, windows: Windows) -> None:
        super().__init__()
        self.average = isinstance(spec, AveragePoolSpec)
        self.windows = windows

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs (n, channels, rows, columns)."""
        kernel, stride = self.windows.kernel, self.windows.stride
        if self.average:
            return nn.functional.avg_pool2d(x, kernel, stride)
        return nn.functional.max_pool2d(x, kernel, stride, self.windows.padding)


class Flatten(nn.Module):
    """Images to vectors in the order of `fxsim.windows.Windows`."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Vectors (n, items) of images (n, channels, height, width)."""
        return x.permute(0, 2, 3, 1).flatten(1)


class Lstm(nn.Module):
    """An LSTM layer that carries its state from call to call; gradients stop at its start.

    Parameters
    ----------
    spec : LstmSpec
    inputs : int
    power : float
        Mean squared norm of an input vector. W is drawn so that W x starts with variance 1: a
        one-hot input (power 1) needs far greater weights than a dense one.
    """

    def __init__(self, spec: LstmSpec, inputs: int, power: float) -> None:
        super().__init__()
        cells = spec.cells
        self.input_product = Product(spec, 4 * cells, inputs)
        self.hidden_product = Product(spec, 4 * cells, cells)
        self.state: tuple[torch.Tensor, torch.Tensor] | None = None
        nn.init.normal_(self.input_product.weight, std=power**-0.5)
        nn.init.uniform_(self.hidden_product.weight, -(cells**-0.5), cells**-0.5)
        nn.init.ones_(self.input_product.bias[cells : 2 * cells])  # remember at first

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs (n, t, cells) for inputs (n, t, inputs), from the state that was left."""
        if self.state is None:
            zero = x.new_zeros(1, len(x), self.hidden_product.weight.shape[1])
            self.state = (zero, zero)
        products = (self.input_product, self.hidden_product)
        tensors = [p.real_weight() for p in products] + [p.bias for p in products]
        weights = [_torch_order(tensor) for tensor in tensors]
        x, *state = torch.lstm(x, self.state, weights, True, 1, 0.0, False, False, True)
        self.state = (state[0].detach(), state[1].detach())
        return x


def _torch_order(tensor: torch.Tensor) -> torch.Tensor:
    """Rows of gates i, f, o, g in the order i, f, g, o of torch."""
    i, f, o, g = tensor.chunk(4)
    return torch.cat((i, f, g, o))


class Network(nn.Module):
    """A chain of layers with dropout between them.

    Parameters
    ----------
    spec : NetworkSpec
    power : float, optional
        Mean squared norm of an input vector; the number of inputs when left out.
    """

    def __init__(self, spec: NetworkSpec, power: float | None = None) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for i, layer in enumerate(spec.layers):
            inputs = spec.layer_inputs(i)
            match layer:
                case LstmSpec():
                    self.layers.append(Lstm(layer, inputs, inputs if i or not power else power))
                case LinearSpec():
                    self.layers.append(Linear(layer, inputs))
                case ConvolutionSpec():
                    windows = windows_of(layer, spec.layer_shape(i))
                    self.layers.append(Convolution(layer, windows))
                case FlattenSpec():
                    self.layers.append(Flatten())
                case _:
                    self.layers.append(Pool(layer, windows_of(layer, spec.layer_shape(i))))
        self.dropout = spec.train.dropout

    def linears(self) -> list[Product]:
        """Every matrix product of every layer, in the order of `NetworkSpec.products`."""
        return [module for module in self.modules() if isinstance(module, Product)]

    def reset_state(self) -> None:
        """Start every sequence anew."""
        for layer in self.layers:
            if isinstance(layer, Lstm):
                layer.state = None

    def refresh_scales(self) -> None:
        """Quantize every layer from now on, with the L2-optimal scales of the present weights."""
        for linear in self.linears():
            linear.refresh_scale()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of samples (n, *input shape), or (n, t, inputs) with LSTM layers."""
        last = len(self.layers) - 1
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i < last:
                x = nn.functional.dropout(x, self.dropout, self.training)
        return x
