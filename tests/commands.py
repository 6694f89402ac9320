"""Commands run in this process or as the user does, and a network to run them on."""

import subprocess
import sys
from typing import Any

import numpy as np
from typer.testing import CliRunner, Result

from fxsim.arithmetic.codes import TernaryCode
from fxsim.arithmetic.formats import AccumulatorMode, IntFormat, Overflow, Rounding
from fxsim.cli import app
from fxsim.network import (
    INPUT,
    Accumulator,
    Activation,
    Folding,
    InputQuantizer,
    IntArray,
    QuantizedLinear,
    QuantizedNetwork,
    Tail,
)

TERNARY = "digits-mlp-ternary"


def fxsim_cli(*arguments: object, status: int = 0) -> Result:
    """Run a command in this process and check its exit status."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if not isinstance(result.exception, SystemExit | None):
        raise result.exception
    assert result.exit_code == status, result.output
    return result


def fxsim_process(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command as the user does."""
    return subprocess.run(
        [sys.executable, "-c", "from fxsim.cli import main; main()", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )


def small_network(weight: IntArray | None = None, data: str = "nothing") -> QuantizedNetwork:
    """Six inputs, four outputs, one layer; about the fastest to build."""
    if weight is None:
        weight = np.arange(24).reshape(4, 6) % 3 - 1
    source = Activation(format=IntFormat(bits=4, signed=False), scale=0.25)
    layer = QuantizedLinear(
        name="first",
        weight=weight,
        code=TernaryCode(),
        weight_scale=np.array([0.5]),
        bias=np.array([1, -2, 3, 0]),
        input=source,
        accumulator=Accumulator(format=IntFormat.parse("int9"), mode=AccumulatorMode.WIDE),
        tail=Tail(
            multiplier=np.array([3]),
            multiplier_bits=2,
            shift=2,
            rounding=Rounding.TIES_AWAY,
            overflow=Overflow.SATURATE,
            relu=True,
        ),
        output=Activation(format=IntFormat(bits=5, signed=False), scale=0.125),
        folding=Folding(rows=2, simd=3),
    )
    return QuantizedNetwork(
        name="little",
        data=data,
        inputs={INPUT: InputQuantizer(shape=(6,), activation=source, rounding=Rounding.TIES_AWAY)},
        layers=(layer,),
    )
