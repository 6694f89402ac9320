"""Float parameters of a network: its parent, and the same network after retraining.

One npz holds ``float.<layer>.weight`` and ``float.<layer>.bias``, and after retraining also
``retrained.<layer>.weight``, ``.bias``, ``.scale`` and ``.levels``; ``.exponents``, a number, says
that the levels are powers of two. The scales are those of the
last retraining step and are part of the result: a step size refreshed after the last weight
update flips integers that nothing relearns. ``layout`` names the tool whose order all of them are
in (`fxsim.floats.layouts`); the rest of this text is about that of fxsim.

A convolution has a row for each output channel, over the items of a window in the order of
`fxsim.arithmetic.windows.Windows`; with batch normalisation also ``<layer>.gain``.

An LSTM layer has two matrices under names of their own: ``<layer>_input`` is W, shape (4 * cells,
inputs), and ``<layer>_hidden`` is U, shape (4 * cells, outputs); rows in the order of
`fxsim.network.lstm.GATES`. Their biases are summed. A scale per gate stands at each of the gate's
rows. A projection is ``<layer>_projection``, shape (outputs, cells); training leaves its bias 0.
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fxsim.arguments import as_path, check_type
from fxsim.errors import FileError, LayoutWarning, RangeError, SpecError
from fxsim.files import read_npz, write_npz
from fxsim.floats.layouts import FXSIM, LAYOUTS, Arrays, name_in_file, to_fxsim, undecided
from fxsim.network import FloatArray
from fxsim.spec.specification import NetworkSpec

LAYOUT = "layout"
"""Array that names the layout of the others."""
_MOST_NAMES = 40
_FOLD = ": batch normalisation must be folded into gain and bias (docs/checkpoints.md)"


class _MissingArrayError(SpecError):
    """An array is missing."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearParameters:
    """Parameters of a fully connected layer, a convolution, or one product of an LSTM layer.

    Parameters
    ----------
    weight : float64 array, shape (outputs, inputs)
    bias : float64 array, shape (outputs,)
    gain : float64 array, shape (outputs,), optional
        Gain of a batch normalisation: the output is gain * (weight @ x) + bias.
    """

    weight: FloatArray
    bias: FloatArray
    gain: FloatArray | None = None

    @property
    def effective_weight(self) -> FloatArray:
        """The weight, times the gain."""
        return self.weight if self.gain is None else self.gain[:, None] * self.weight


@dataclass(frozen=True, kw_only=True, eq=False)
class RetrainedParameters(LinearParameters):
    """Float parameters that were trained to be quantized to ``levels`` with ``scale``.

    Parameters
    ----------
    scale : float64 array, shape (1,) or (outputs,)
        Weight scale per tensor or per row.
    levels : int
    exponents : int, optional
        Number of powers of two that the levels are.
    """

    scale: FloatArray
    levels: int
    exponents: int | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """Float parameters by the name of the product (see `NetworkSpec.products`).

    Parameters
    ----------
    parent : mapping of str to LinearParameters
        The float network that quantization starts from.
    retrained : mapping of str to RetrainedParameters, optional
        The same products after retraining with quantized weights.

    Raises
    ------
    RangeError
        If an array has the wrong shape for its layer or holds a NaN or an infinity; the message
        starts with the name of the array.
    """

    parent: Mapping[str, LinearParameters]
    retrained: Mapping[str, RetrainedParameters] | None = None

    def __post_init__(self) -> None:
        for key, array in self.arrays().items():
            if (bad := np.argwhere(~np.isfinite(array))).size:
                index = tuple(bad[0].tolist())
                raise RangeError(f"{key} must be finite, not {array[index]} at {list(index)}")
        for name, layer in self.parent.items():
            _check_shapes(f"float.{name}", layer)
        for name, retrained in (self.retrained or {}).items():
            _check_shapes(f"retrained.{name}", retrained)
            key, scale, outputs = f"retrained.{name}.scale", retrained.scale, retrained.bias.size
            if scale.shape not in {(1,), (outputs,)}:
                raise RangeError(f"{key} must have shape (1,) or ({outputs},), not {scale.shape}")
            if not (scale > 0).all():
                raise RangeError(f"{key} must be positive, not {scale.min()}")

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Every array by its name in the file."""
        arrays: dict[str, npt.NDArray[Any]] = {}
        for name, layer in self.parent.items():
            arrays |= {f"float.{name}.weight": layer.weight, f"float.{name}.bias": layer.bias}
        for name, retrained in (self.retrained or {}).items():
            arrays |= {
                f"retrained.{name}.weight": retrained.weight,
                f"retrained.{name}.bias": retrained.bias,
                f"retrained.{name}.scale": retrained.scale,
                f"retrained.{name}.levels": np.array([retrained.levels]),
            }
            if retrained.exponents is not None:
                arrays[f"retrained.{name}.exponents"] = np.array([retrained.exponents])
        for stage, layers in (("float", self.parent), ("retrained", self.retrained or {})):
            for name, layer in layers.items():
                if layer.gain is not None:
                    arrays[f"{stage}.{name}.gain"] = layer.gain
        return arrays

    def check(self, spec: NetworkSpec) -> None:
        """Compare layers and shapes with a specification.

        Raises
        ------
        SpecError
            If an array is missing, unknown, or of another shape; the message names it.
        """
        _check(self.arrays(), spec, retrained=self.retrained is not None)


def save_checkpoint(checkpoint: Checkpoint, path: str | Path) -> None:
    """Write the checkpoint as one npz, byte for byte repeatable, atomically."""
    check_type(checkpoint, Checkpoint, "checkpoint")
    write_npz(as_path(path, "path"), checkpoint.arrays() | {LAYOUT: np.array(FXSIM)})


def load_checkpoint(path: str | Path, spec: NetworkSpec, layout: str | None = None) -> Checkpoint:
    """Read a checkpoint of the network ``spec``.

    Parameters
    ----------
    path : str or Path
    spec : NetworkSpec
    layout : str, optional
        One of `fxsim.floats.layouts.LAYOUTS`; the one that the file names if left out, or fxsim's
        own. A `LayoutWarning` says so where the order of a file without a name could be another.

    Raises
    ------
    FileError
        If the file cannot be read, lacks an array, has one too many, or one has the wrong type or
        shape or holds a NaN or an infinity; the message names the file and the array, and the
        layout that the file fits, if there is one.
    """
    check_type(spec, NetworkSpec, "spec")
    path = as_path(path, "path")
    arrays = read_npz(path, text=LAYOUT)
    named = _named_layout(path, arrays.pop(LAYOUT, None))
    chosen = layout or named or FXSIM
    try:
        checkpoint = _in_layout(arrays, spec, chosen)
    except (RangeError, SpecError) as error:
        hint = f"; the file has {_listed(arrays)}" if isinstance(error, _MissingArrayError) else ""
        for other in LAYOUTS:
            if other != chosen and fits(arrays, spec, other):
                hint = f"; the file fits layout {other!r}: name it there as {LAYOUT!r}"
        raise FileError(f"{path}: {error}{hint}") from None
    order = undecided(spec)
    if layout is None and named is None and checkpoint.retrained is None and order:
        warnings.warn(
            f"{path}: names no layout and is taken for fxsim's own, in which {order}; add an array"
            f" {LAYOUT!r} that says {' or '.join(map(repr, LAYOUTS))}",
            LayoutWarning,
            stacklevel=2,
        )
    return checkpoint


def load_layouts(path: Path, spec: NetworkSpec) -> dict[str, Checkpoint]:
    """A checkpoint in every layout that its shapes fit, whichever it names.

    Raises
    ------
    FileError
        If the file cannot be read.
    """
    arrays = read_npz(path, text=LAYOUT)
    arrays.pop(LAYOUT, None)
    fitting = [layout for layout in LAYOUTS if fits(arrays, spec, layout)]
    return {layout: _in_layout(arrays, spec, layout) for layout in fitting}


def named_layout(path: Path) -> str:
    """Layout that a file names, or fxsim's own.

    Raises
    ------
    FileError
        If the file cannot be read or names none that is known.
    """
    return _named_layout(path, read_npz(path, text=LAYOUT).get(LAYOUT)) or FXSIM


def fits(arrays: Arrays, spec: NetworkSpec, layout: str) -> bool:
    """True if arrays have the names and shapes of a layout."""
    try:
        _in_layout(arrays, spec, layout)
    except (RangeError, SpecError):
        return False
    return True


def _listed(arrays: Arrays) -> str:
    names, more = list(arrays)[:_MOST_NAMES], len(arrays) - _MOST_NAMES
    return ", ".join(names or ["no arrays"]) + (f" and {more} more" if more > 0 else "")


def _named_layout(path: Path, array: npt.NDArray[Any] | None) -> str | None:
    if array is None:
        return None
    names = [str(name) for name in array.ravel()]
    if len(names) != 1 or names[0] not in LAYOUTS:
        known = " or ".join(map(repr, LAYOUTS))
        raise FileError(f"{path}: {LAYOUT} must be {known}, not {', '.join(names)!r}")
    return names[0]


def _in_layout(arrays: Arrays, spec: NetworkSpec, layout: str) -> Checkpoint:
    """Checkpoint of arrays in a layout.

    Raises
    ------
    SpecError, RangeError
        If they are not in it, or hold what no parameter can be.
    """
    in_file, arrays = arrays, to_fxsim(arrays, layout, spec)
    retrained = any(key.startswith("retrained.") for key in arrays)
    if retrained and layout != FXSIM:
        raise SpecError(f"retrained arrays must be in layout {FXSIM!r}, not {layout!r}")
    _check(
        arrays,
        spec,
        retrained=retrained,
        named=lambda key: name_in_file(key, in_file, layout, spec),
    )
    names = [product.name for product in spec.products]
    return Checkpoint(
        parent={
            name: LinearParameters(
                weight=_floats(arrays, f"float.{name}.weight"),
                bias=_floats(arrays, f"float.{name}.bias"),
                gain=_gain(arrays, f"float.{name}.gain"),
            )
            for name in names
        },
        retrained={
            name: RetrainedParameters(
                weight=_floats(arrays, f"retrained.{name}.weight"),
                bias=_floats(arrays, f"retrained.{name}.bias"),
                gain=_gain(arrays, f"retrained.{name}.gain"),
                scale=_floats(arrays, f"retrained.{name}.scale"),
                levels=_count(arrays, f"retrained.{name}.levels"),
                exponents=_exponents(arrays, f"retrained.{name}.exponents"),
            )
            for name in names
        }
        if retrained
        else None,
    )


def _shapes(spec: NetworkSpec, *, retrained: bool) -> dict[str, tuple[int, ...] | None]:
    """Names of the arrays that a checkpoint of ``spec`` holds; None where more shapes will do."""
    shapes: dict[str, tuple[int, ...] | None] = {}
    for product in spec.products:
        name = product.name
        for stage in ("float", "retrained") if retrained else ("float",):
            shapes[f"{stage}.{name}.weight"] = (product.outputs, product.inputs)
            shapes[f"{stage}.{name}.bias"] = (product.outputs,)
            if product.gain:
                shapes[f"{stage}.{name}.gain"] = (product.outputs,)
        if retrained:
            shapes[f"retrained.{name}.scale"] = None
            shapes[f"retrained.{name}.levels"] = (1,)
    return shapes


def _check(
    arrays: Mapping[str, npt.NDArray[Any]],
    spec: NetworkSpec,
    *,
    retrained: bool,
    named: Callable[[str], str] = str,
) -> None:
    """Compare names and shapes with what `_shapes` says; ``named`` gives names for messages."""
    shapes = _shapes(spec, retrained=retrained)
    for product in spec.products:  # only powers of two have them
        key = f"retrained.{product.name}.exponents"
        if key in arrays:
            shapes[key] = (1,)
    for key, shape in shapes.items():
        if key not in arrays:
            hint = _FOLD if key.endswith(".gain") else ""
            raise _MissingArrayError(f"{named(key)} is missing{hint}")
        if shape is not None and arrays[key].shape != shape:
            raise SpecError(f"{named(key)} must have shape {shape}, not {arrays[key].shape}")
    for key in arrays:
        if key not in shapes:
            near = difflib.get_close_matches(key, shapes, n=1)
            raise SpecError(
                f"unknown array {key!r}" + (f"; expected {named(near[0])!r}" if near else "")
            )


def _check_shapes(key: str, layer: LinearParameters) -> None:
    if layer.weight.ndim != 2 or layer.bias.shape != layer.weight.shape[:1]:
        raise RangeError(
            f"{key}.bias must have one value for each of the rows of a matrix {key}.weight,"
            f" not shape {layer.bias.shape} for {layer.weight.shape}"
        )
    if layer.gain is not None and layer.gain.shape != layer.bias.shape:
        raise RangeError(f"{key}.gain must have shape {layer.bias.shape}, not {layer.gain.shape}")


def _floats(arrays: Mapping[str, npt.NDArray[Any]], key: str) -> FloatArray:
    if arrays[key].dtype.kind != "f":
        raise RangeError(f"{key} must hold floats, not {arrays[key].dtype}")
    return arrays[key].astype(np.float64)


def _gain(arrays: Mapping[str, npt.NDArray[Any]], key: str) -> FloatArray | None:
    return _floats(arrays, key) if key in arrays else None


def _exponents(arrays: Mapping[str, npt.NDArray[Any]], key: str) -> int | None:
    return _count(arrays, key) if key in arrays else None


def _count(arrays: Mapping[str, npt.NDArray[Any]], key: str) -> int:
    """A number of levels or exponents, two or more."""
    if arrays[key].dtype.kind not in "iu":
        raise RangeError(f"{key} must hold an integer, not {arrays[key].dtype}")
    count = int(arrays[key][0])
    if count < 2:
        raise RangeError(f"{key} must be at least 2, not {count}")
    return count
