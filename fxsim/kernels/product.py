"""A weight matrix that is packed once, then multiplied by batches: `Product`."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from fxsim.errors import ConfigError
from fxsim.kernels.epilogue import Epilogue
from fxsim.kernels.jit import jit
from fxsim.kernels.matmul import entry_of
from fxsim.kernels.operand import (
    MAX_INPUTS,
    Operand,
    digits_of,
    exact_sums,
    operand_of,
    planes_of,
    scratch,
    split,
    words_fit,
)
from fxsim.kernels.packing import aligned, pack
from fxsim.kernels.target import Backend, chosen
from fxsim.network import IntArray
from fxsim.threads import cores

_MOST_PASSES = {
    Backend.AMX: 9,
    Backend.VNNI: 6,
    Backend.AVX2: 2,
}  # byte products that are faster than float64
_MOST_PARTS = 4  # of the inputs, for words whose sums do not fit 32 bits
_WORTH_THREADS = 1 << 27  # multiplications
_EXACT32, _EXACT64 = 1 << 24, 1 << 53
_LEAST_RUN = 128  # inputs for which a float32 product is worth a call


class Product:
    """start[m] + sum over k of weight[m, k] * x[k], exactly.

    Operands of up to 8 bits whose sums fit 32 are multiplied as bytes: activations unsigned (signed
    ones plus 128, which ``start`` takes back), weights signed. Wider ones stay words or are split
    into bytes (`fxsim.kernels.operand`). BLAS multiplies floats, in runs of inputs whose partial
    sums are integers that the float holds. What fits nothing else is left to a plain loop.

    Parameters
    ----------
    weight : int64 array, shape (outputs, inputs)
    start : int64 array, shape (outputs,)
    low, high : int
        Range of the activations.
    backend : Backend, optional
        By default that of `fxsim.kernels.target.chosen`.
    """

    def __init__(
        self,
        weight: IntArray,
        start: IntArray,
        low: int,
        high: int,
        backend: Backend | None = None,
    ) -> None:
        self.outputs, self.inputs = weight.shape
        self.backend = chosen() if backend is None else backend
        self._start = start
        most = max(high, -low, 1)
        reach = int(np.abs(weight).sum(axis=1).max(initial=0)) * most
        planes, offset = planes_of(low, high)
        digits = len(digits_of(weight)) if self.backend in _MOST_PASSES else 0
        passes = planes * digits
        narrow = reach + int(np.abs(start).max(initial=0)) < 1 << 31
        self._words = words_fit(weight, start, low, high, self.backend)
        self.fused = (passes == 1 and narrow) or self._words
        """True if sums are 32 bits and `requantized` may be called."""
        self.flip = 0x80 if offset and not self._words else 0
        if self.fused:
            corrected = start if self._words else start - offset * weight.sum(axis=1)
            digit = weight.astype(np.int16) if self._words else weight.astype(np.int8)
            self._packed = pack(digit, corrected, self.backend)
            self._products, self._places = entry_of(self._packed)
        elif self.backend in _MOST_PASSES and passes <= _MOST_PASSES[self.backend]:
            self._operands = self._split(weight, low, high)
        elif self.backend is not Backend.PLAIN and reach < _EXACT64:
            self.backend = Backend.BLAS
            widest = int(np.abs(weight).max(initial=0)) * most
            self._floats = _floats_of(weight, reach, widest)
        else:
            self.backend = Backend.PLAIN
            self._columns = np.ascontiguousarray(weight.T)

    def __call__(
        self, x: npt.NDArray[Any], out: npt.NDArray[np.int32] | None = None
    ) -> npt.NDArray[np.int32] | IntArray:
        """Sums (rows, outputs) of activations (rows, inputs): int32 if ``fused``, else int64.

        A contiguous ``out`` takes them where ``fused``; new memory costs as much as small products.
        """
        if self.fused:
            out = aligned((len(x), self.outputs), np.int32) if out is None else out
            self._run(self._bytes(x), None, out)
            return out
        result = np.empty((len(x), self.outputs), np.int64)
        result[:] = self._start
        if self.backend is Backend.PLAIN:
            _add_products(np.ascontiguousarray(x, np.int64), self._columns, result)
        elif self.backend is Backend.BLAS:
            for run, columns in self._floats:
                result += (x[:, run].astype(columns.dtype) @ columns).astype(np.int64)
        else:
            for run, operand in self._operands:
                _add_sums(np.ascontiguousarray(x[:, run], np.int64), operand, result)
        return result

    def requantized(
        self, x: npt.NDArray[Any], epilogue: Epilogue, out: npt.NDArray[Any] | None = None
    ) -> npt.NDArray[np.uint8 | np.uint16]:
        """Low bits of the activations, in one pass; only where ``fused``.

        Bytes for a format of up to 8 bits, else words; a contiguous ``out`` takes them.
        """
        if out is None:
            dtype = np.uint8 if epilogue.high - epilogue.low < 256 else np.uint16
            out = aligned((len(x), self.outputs), dtype)
        self._run(self._bytes(x), tuple(epilogue), out)
        return out

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Product holds addresses: make another one instead of a copy")

    def _bytes(self, x: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        return np.ascontiguousarray(x, np.int16).view(np.uint8) if self._words else as_bytes(x)

    def _split(self, weight: IntArray, low: int, high: int) -> list[tuple[slice, Operand]]:
        nothing = np.zeros(self.outputs, np.int64)
        whole = (nothing, low, high, self.backend)
        for parts in range(1, _MOST_PARTS + 1):
            step = max(1, min(MAX_INPUTS, -(-self.inputs // parts)))
            runs = [slice(k, k + step) for k in range(0, self.inputs, step)]
            if all(words_fit(weight[:, run], *whole) for run in runs):
                break
        else:
            runs = [slice(k, k + MAX_INPUTS) for k in range(0, self.inputs, MAX_INPUTS)]
        return [(run, operand_of(weight[:, run], *whole)) for run in runs]

    def _run(
        self, x: npt.NDArray[np.uint8], epilogue: tuple[Any, ...] | None, out: npt.NDArray[Any]
    ) -> None:
        work = len(x) * self.inputs * self.outputs
        if work < _WORTH_THREADS:
            self._part(x, epilogue, out)
            return
        parts = max(1, min(threads(), len(x) // 64))
        step = max(32, -(-len(x) // parts // 32) * 32)
        runs = [slice(first, first + step) for first in range(step, len(x), step)]
        done = [
            # A method, so that who works keeps the weights, even if this call is interrupted.
            _pool().submit(self._part, x[run], epilogue, out[run])
            for run in runs
        ]
        self._part(x[:step], epilogue, out[:step])
        for future in done:
            future.result()

    def _part(
        self, x: npt.NDArray[np.uint8], epilogue: tuple[Any, ...] | None, out: npt.NDArray[Any]
    ) -> None:
        self._products(x, self.flip, self._places, epilogue, out)


def as_bytes(x: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Low bytes of ``x``, contiguous."""
    if x.dtype == np.uint8 and x.flags.c_contiguous:
        return x
    if x.dtype.itemsize == 1:
        return np.ascontiguousarray(x).view(np.uint8)
    return np.ascontiguousarray(x.astype(np.uint8))


def _floats_of(
    weight: IntArray, reach: int, widest: int
) -> list[tuple[slice, npt.NDArray[np.floating]]]:
    """Runs of inputs and their weights; ``reach`` and ``widest`` bound a sum and a product."""
    inputs = weight.shape[1]
    run = inputs if reach < _EXACT32 else _EXACT32 // max(1, widest)
    if run < min(inputs, _LEAST_RUN):
        return [(slice(None), np.ascontiguousarray(weight.T, np.float64))]
    runs = [slice(k, k + run) for k in range(0, inputs, max(1, run))]
    return [(run, np.ascontiguousarray(weight[:, run].T, np.float32)) for run in runs]


@jit
def _add_products(x: IntArray, columns: IntArray, out: IntArray) -> None:
    for i in range(x.shape[0]):
        target = out[i]
        for k in range(x.shape[1]):
            value = x[i, k]
            if value != 0:
                column = columns[k]
                for j in range(len(target)):
                    target[j] += value * column[j]


@jit
def _add_sums(x: IntArray, operand: Operand, out: IntArray) -> None:
    planes, partial = scratch(x.shape[0], x.shape[1], operand)
    split(x, operand, planes, x.shape[0])
    sums = np.empty_like(out)
    exact_sums(operand, planes, partial, sums)
    out += sums


@cache
def threads() -> int:
    """Threads for large products: `FXSIM_THREADS`, else the cores that this process may use.

    Raises
    ------
    ConfigError
        If `FXSIM_THREADS` is no positive integer.
    """
    text = os.environ.get("FXSIM_THREADS", "")
    if not text:
        return cores()
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"FXSIM_THREADS must be a positive integer, not {text!r}")
    return int(text)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads(), thread_name_prefix="fxsim")
