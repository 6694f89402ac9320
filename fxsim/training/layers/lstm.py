"""LSTM layers in training."""

from __future__ import annotations

import warnings

import torch
from torch import nn

from fxsim.spec.specification import LstmSpec, SparsifySpec
from fxsim.training.lstm import Inputs, LstmFunction, Matrices, Untouched
from fxsim.training.product import Product
from fxsim.training.sparsify import Sparsifier


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
