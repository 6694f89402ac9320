"""One LSTM layer, forward and exact backpropagation through time, with a rule on gate gradients.

`torch.lstm` hides its gate gradients. Here each time step yields dnet in block order i, f, o, g,
and a rule changes it *before* dx, dh, dW, dU and db are formed, so that what it sets to zero stays
zero all the way back in time (Zhu et al. 2017, section 3.2).
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import torch

from fxsim.training.activations import Quantizer


class GateRule(Protocol):
    """Treatment of the gate gradients of a layer."""

    def start(self, count: int) -> None:
        """Begin a backward pass over ``count`` vectors, which the loss is the mean of."""

    def change(self, dnet: torch.Tensor) -> None:
        """Change the gate gradients (n, 4 * cells) of one time step in place."""

    def finish(self, dnet: torch.Tensor) -> None:
        """See the changed gate gradients (t, n, 4 * cells) of the whole pass."""


class Untouched:
    """The rule that leaves gate gradients as they are."""

    def start(self, count: int) -> None:
        """See `GateRule`."""

    def change(self, dnet: torch.Tensor) -> None:
        """See `GateRule`."""

    def finish(self, dnet: torch.Tensor) -> None:
        """See `GateRule`."""


class Matrices(NamedTuple):
    """W, U and the projection P, if there is one."""

    W: torch.Tensor
    U: torch.Tensor
    P: torch.Tensor | None = None


class Inputs(NamedTuple):
    """Operands of the products in the forward pass: x, and the rounding of h and cells' outputs.

    What is None is taken as it is.
    """

    x: torch.Tensor | None = None
    h: Quantizer | None = None
    m: Quantizer | None = None


class LstmFunction(torch.autograd.Function):
    """The layer as one node of the graph; gradients stop at the state it starts from.

    All that needs no recurrence is a product over all time steps at once: W x and the slopes of the
    gates before the loop, dx, dW, dU and db after it. dc_t takes f_t+1 * dc_t+1, and the slope of
    tanh is 1 - tanh**2; the paper misprints both.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        state: tuple[torch.Tensor, torch.Tensor],
        W: torch.Tensor,
        U: torch.Tensor,
        b: torch.Tensor,
        rule: GateRule,
        P: torch.Tensor | None = None,
        ahead: Matrices | None = None,
        taken: Inputs | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Outputs (n, t, outputs) and the last cell state (n, cells).

        Parameters
        ----------
        x : tensor, shape (n, t, inputs)
        state : tuple of two tensors, shapes (n, outputs) and (n, cells)
            Output and cell state before the first step.
        W, U, b : tensors, shapes (4 * cells, inputs), (4 * cells, outputs), (4 * cells,)
            Rows in block order i, f, o, g.
        rule : GateRule
        P : tensor, shape (outputs, cells), optional
            Recurrent projection; without it there are as many outputs as cells.
        ahead : Matrices, optional
            Quantized matrices for the forward pass; errors go back through W, U and P all the same,
            and gradients of these are of inputs that are not rounded (Alvarez et al. 2016,
            Algorithm 1).
        taken : Inputs, optional
            Rounding of what W (only with ``ahead``; x is rounded already without), U and P take.
            Gradients pass straight through it.
        """
        count, steps, _ = x.shape
        width = len(U) // 4
        there, taken = ahead or Matrices(W, U, P), taken or Inputs()
        x = x.transpose(0, 1).contiguous()
        first = x if taken.x is None else taken.x.transpose(0, 1)
        gates = torch.addmm(b, first.flatten(0, 1), there.W.t()).view(steps, count, 4 * width)
        hidden = x.new_empty(steps + 1, count, U.shape[1])
        cells = x.new_empty(steps + 1, count, width)
        hidden[0], cells[0] = state
        squashed = x.new_empty(steps, count, width)
        wide = hidden[1:] if P is None else torch.empty_like(squashed)  # o * tanh(c)
        fed = hidden[:-1] if taken.h is None else torch.empty_like(hidden[:-1])
        projected = wide if taken.m is None else torch.empty_like(wide)
        i, f, o, g = (gate.unbind() for gate in gates.chunk(4, dim=2))
        sigmoids, transposed = gates[..., : 3 * width].unbind(), there.U.t()
        z, h, c, q = gates.unbind(), hidden.unbind(), cells.unbind(), squashed.unbind()
        m, u, p = wide.unbind(), fed.unbind(), projected.unbind()
        for t in range(steps):
            if taken.h is not None:
                u[t].copy_(taken.h.values(h[t]))
            z[t].addmm_(u[t], transposed)
            sigmoids[t].sigmoid_()
            g[t].tanh_()
            torch.mul(f[t], c[t], out=c[t + 1]).addcmul_(i[t], g[t])
            torch.tanh(c[t + 1], out=q[t])
            torch.mul(o[t], q[t], out=m[t])
            if there.P is not None:
                if taken.m is not None:
                    p[t].copy_(taken.m.values(m[t]))
                torch.mm(p[t], there.P.t(), out=h[t + 1])
        if ahead is not None:
            fed, projected = hidden[:-1], wide
        ctx.save_for_backward(x, gates, fed, cells, squashed, projected, W, U, P)
        ctx.rule = rule
        last = cells[-1].clone()
        ctx.mark_non_differentiable(last)
        return hidden[1:].transpose(0, 1), last

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Gradients of x, W, U, b and P."""
        x, gates, fed, cells, squashed, projected, W, U, P = ctx.saved_tensors
        rule: GateRule = ctx.rule
        steps, count, width = squashed.shape
        dy = gradients[0].transpose(0, 1).unbind()
        through, slopes = _slopes(gates, cells[:-1], squashed)
        dnet = slopes  # each step replaces its slopes
        blocks = dnet.view(steps, count, 4, width).unbind()
        outputs = dnet[..., 2 * width : 3 * width].unbind()
        o_slopes = dnet[..., 2 * width : 3 * width].clone().unbind()
        f, passed, d = gates[..., width : 2 * width].unbind(), through.unbind(), dnet.unbind()
        recurrent, kept = x.new_zeros(count, U.shape[1]), x.new_zeros(count, width)
        errors = [] if P is None else torch.empty_like(fed).unbind()
        rule.start(steps * count)
        for t in reversed(range(steps)):
            dh = recurrent.add_(dy[t])
            if P is not None:
                errors[t].copy_(dh)
                dh = dh @ P
            dc = kept.addcmul_(dh, passed[t])
            blocks[t].mul_(dc[:, None])
            torch.mul(o_slopes[t], dh, out=outputs[t])
            rule.change(d[t])
            kept = dc.mul_(f[t])
            recurrent = torch.mm(d[t], U)
        rule.finish(dnet)
        flat = dnet.flatten(0, 1)
        dx = (flat @ W).view(steps, count, -1).transpose(0, 1) if ctx.needs_input_grad[0] else None
        dW = flat.t() @ x.flatten(0, 1)
        dU = flat.t() @ fed.flatten(0, 1)
        dP = None if P is None else torch.cat(tuple(errors)).t() @ projected.flatten(0, 1)
        return dx, None, dW, dU, flat.sum(dim=0), None, dP, None, None


def _slopes(
    gates: torch.Tensor, before: torch.Tensor, squashed: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Factor of dh in dc, and factors of dc (of dh for gate o) in dnet, over all time steps."""
    i, _, o, g = gates.chunk(4, dim=2)
    through = torch.addcmul(o, o * squashed, squashed, value=-1)
    sigmoids = gates[..., : 3 * i.shape[2]]
    slopes = torch.empty_like(gates)
    steep = slopes[..., : 3 * i.shape[2]]
    torch.addcmul(sigmoids, sigmoids, sigmoids, value=-1, out=steep)
    i_slope, f_slope, o_slope, g_slope = slopes.chunk(4, dim=2)
    i_slope.mul_(g)
    f_slope.mul_(before)
    o_slope.mul_(squashed)
    torch.addcmul(i, i * g, g, value=-1, out=g_slope)
    return through, slopes
