"""A `NetworkSpec` as a torch module whose weights can be quantized in the forward pass."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from fxsim.checkpoint import LinearParameters
from fxsim.network import FloatArray
from fxsim.quantize import groups_of
from fxsim.spec import (
    INPUT,
    AddSpec,
    ArgmaxSpec,
    AveragePoolSpec,
    ConvolutionSpec,
    FlattenSpec,
    LinearSpec,
    LstmSpec,
    MaxPoolSpec,
    NetworkSpec,
    ProductSpec,
    SparsifySpec,
)
from fxsim.spec_images import windows_of
from fxsim.train.lstm import LstmFunction, Matrices, Untouched
from fxsim.train.sparsify import Sparsifier
from fxsim.weight_groups import weight_groups
from fxsim.windows import Windows


class QuantizeWeight(torch.autograd.Function):
    """Round a weight matrix to scale * `fxsim.quantize.integer_weight`, bit for bit.

    The gradient passes straight through: weights are updated in float by what the quantized ones
    would have needed (Sung et al. 2015, section 2.3).
    """

    @staticmethod
    def forward(
        ctx: Any, weight: torch.Tensor, scale: torch.Tensor, spec: ProductSpec
    ) -> torch.Tensor:
        """Quantized real values of ``weight``, in its dtype; ``scale`` is float64, one or a row."""
        asymmetric, levels = spec.weights.scheme == "asymmetric", spec.weights.levels
        top = levels - 1 if asymmetric else levels // 2
        ratio = (weight.to(scale.dtype) / scale[:, None]).clamp_(-top, top)
        q = ratio.trunc()
        rest = ratio - q  # exact, so that a tie is a tie; ratio + 0.5 would not be
        up = (rest >= 0.5) | (rest < -0.5) if asymmetric else rest.abs() >= 0.5
        q += torch.copysign(up.to(ratio.dtype), ratio)
        if asymmetric:
            groups = q.view(groups_of(spec, len(q)), -1)
            zero = -groups.amin(dim=1, keepdim=True).clamp_(max=0)
            q = ((groups + zero).clamp_(0, top) - zero).view_as(q)
        return (q * scale[:, None]).to(weight.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """Pass the gradient through."""
        return gradients[0], None, None


class FloatBackward(torch.autograd.Function):
    """The values of one tensor with the gradient of another.

    Algorithm 1 of Alvarez et al. (2016) goes forward with quantized weights and back with float
    ones. For y = W x that is the value with the one and the gradient with the other: that of W
    depends on x only, that of x on W.
    """

    @staticmethod
    def forward(ctx: Any, value: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """``value``, whatever ``other`` is."""
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[None, torch.Tensor]:
        """Everything to ``other``."""
        return None, gradients[0]


class Product(nn.Module):
    """Weight and bias of a matrix product, float until it is given a scale.

    Parameters
    ----------
    spec : LinearSpec, LstmSpec, ProjectionSpec or ConvolutionSpec
        Says how the weights are quantized.
    outputs, inputs : int
    biased : bool
        Without, the bias stays 0.
    """

    def __init__(
        self, spec: ProductSpec, outputs: int, inputs: int, *, biased: bool = True
    ) -> None:
        super().__init__()
        self.spec = spec
        self.layer = spec
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs), requires_grad=biased)
        self.norm: nn.BatchNorm1d | nn.BatchNorm2d | None = None
        self._scale: torch.Tensor | None = None
        self.float_backward = False

    @property
    def scale(self) -> FloatArray | None:
        """Weight scale, shape (1,) or (outputs,); None while the weight is float."""
        return None if self._scale is None else self._scale.cpu().numpy()

    @scale.setter
    def scale(self, scale: FloatArray | None) -> None:
        self._scale = None
        if scale is not None:
            self._scale = torch.from_numpy(np.array(scale)).to(self.weight.device)

    def limit_levels(self, levels: int) -> None:
        """Quantize to ``levels``, unless the specification asks for more; `layer` says so too.

        Asymmetric weights get one level more, for theirs are even.
        """
        weights = self.spec.weights
        least = levels + (weights.scheme == "asymmetric")
        weights = weights.model_copy(update={"levels": max(least, weights.levels)})
        self.layer = self.spec.model_copy(update={"weights": weights})

    def load(self, parameters: LinearParameters) -> None:
        """Take weight and bias from a checkpoint.

        A batch normalisation computes the same with a mean of 0 and a variance of 1;
        `fxsim.train.statistics` finds what they are.
        """
        with torch.no_grad():
            self.weight.copy_(torch.from_numpy(parameters.weight))
            if self.norm is None:
                self.bias.copy_(torch.from_numpy(parameters.bias))
                return
            assert parameters.gain is not None
            self.norm.reset_running_stats()
            deviation = math.sqrt(1 + self.norm.eps)
            self.norm.weight.copy_(torch.from_numpy(parameters.gain * deviation))
            self.norm.bias.copy_(torch.from_numpy(parameters.bias))

    def array(self) -> FloatArray:
        """The float weight, shape (outputs, inputs)."""
        return _array(self.weight)

    def folded(self) -> dict[str, FloatArray]:
        """Bias, and the gain where there is one, as a checkpoint holds them.

        That of the batch normalisation with its running mean and variance.
        """
        norm = self.norm
        if norm is None:
            return {"bias": _array(self.bias)}
        assert norm.running_mean is not None
        assert norm.running_var is not None
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        return {"bias": _array(norm.bias - gain * norm.running_mean), "gain": _array(gain)}

    def product(
        self, x: torch.Tensor, apply: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    ) -> torch.Tensor:
        """``apply(x, weight)``, linear in x, with the weight quantized if there is a scale."""
        if self._scale is None or not (self.float_backward and torch.is_grad_enabled()):
            return apply(x, self.real_weight())
        with torch.no_grad():
            value = apply(x, self.real_weight())
        found: torch.Tensor = FloatBackward.apply(  # type: ignore[no-untyped-call]
            value, apply(x, self.weight)
        )
        return found

    def normalised(self, x: torch.Tensor) -> torch.Tensor:
        """``x`` behind the batch normalisation, if there is one.

        A single vector has no variance, so it gets that of all before.
        """
        norm = self.norm
        if norm is not None and self.training and len(x) == 1 and x.ndim == 2:
            return nn.functional.batch_norm(
                x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps
            )
        return x if norm is None else norm(x)

    def real_weight(self) -> torch.Tensor:
        """The weight, quantized if there is a scale."""
        weight: torch.Tensor = self.weight
        if self._scale is not None:
            weight = QuantizeWeight.apply(  # type: ignore[no-untyped-call]
                weight, self._scale, self.layer
            )
        return weight


def _array(tensor: torch.Tensor) -> FloatArray:
    return tensor.detach().cpu().numpy().astype(np.float64)


class Linear(Product):
    """A fully connected layer, with or without batch normalisation.

    Parameters
    ----------
    spec : LinearSpec
    inputs : int
    """

    def __init__(self, spec: LinearSpec, inputs: int) -> None:
        super().__init__(spec, spec.units, inputs)
        self.relu = spec.nonlinearity == "relu"
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
        self.relu = spec.nonlinearity == "relu"
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


class Add(nn.Module):
    """The sum of two tensors.

    Parameters
    ----------
    spec : AddSpec
    """

    def __init__(self, spec: AddSpec) -> None:
        super().__init__()
        self.shortcut = spec.shortcut
        self.relu = spec.nonlinearity == "relu"

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
        tensors = [p.real_weight() for p in products] + [p.bias for p in products]
        whole = [*products, *([] if self.projection is None else [self.projection])]
        mixed = any(p.float_backward and p.scale is not None for p in whole)
        if self.rule is not None or mixed:
            before = (self.state[0][0], self.state[1][0])
            ahead = Matrices(*[p.real_weight().detach() for p in whole]) if mixed else None
            W, U, *P = [p.weight if mixed else p.real_weight() for p in whole]
            x, cell = LstmFunction.apply(  # type: ignore[no-untyped-call]
                *(x, before, W, U, tensors[2] + tensors[3], self.rule or Untouched()),
                P[0] if P else None,
                ahead,
            )
            self.state = (x[None, :, -1].detach(), cell[None])
            return x
        weights = [_torch_order(tensor) for tensor in tensors]
        if self.projection is not None:
            weights.append(self.projection.real_weight())
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "LSTM with projections")  # says that it is slower
            x, *state = torch.lstm(x, self.state, weights, True, 1, 0.0, False, False, True)
        self.state = (state[0].detach(), state[1].detach())
        return x


def _torch_order(tensor: torch.Tensor) -> torch.Tensor:
    """Rows of gates i, f, o, g in the order i, f, g, o of torch."""
    i, f, o, g = tensor.chunk(4)
    return torch.cat((i, f, g, o))


class Network(nn.Module):
    """A chain of layers with dropout between them, and shortcuts; up to an argmax at the end.

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
            inputs = spec.layer_inputs(i)
            own = inputs if i or not power else power
            match layer:
                case LstmSpec():
                    self.layers.append(Lstm(layer, inputs, own, spec.train.sparsify))
                case LinearSpec():
                    linear = Linear(layer, inputs)
                    if spec.recurrent and i == 0:  # an embedding: outputs of variance 1 for an LSTM
                        nn.init.normal_(linear.weight, std=own**-0.5)
                    self.layers.append(linear)
                case ConvolutionSpec():
                    windows = windows_of(layer, spec.layer_shape(i))
                    self.layers.append(Convolution(layer, windows))
                case FlattenSpec():
                    self.layers.append(Flatten())
                case AddSpec():
                    self.layers.append(Add(layer))
                case ArgmaxSpec():
                    pass
                case MaxPoolSpec() | AveragePoolSpec():
                    self.layers.append(Pool(layer, windows_of(layer, spec.layer_shape(i))))
        self.dropout = spec.train.dropout
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
        yielded = {INPUT: x}
        for i, layer in enumerate(self.layers):
            x = layer(x, yielded[layer.shortcut]) if isinstance(layer, Add) else layer(x)
            if i < last:
                x = nn.functional.dropout(x, self.dropout, self.training)
            yielded[self.spec.layer_name(i)] = x
        return x
