"""The oracle: the arithmetic of networks on Python integers, slowly and obviously."""

from fxsim.reference.interpreter import (
    LayerResult,
    LstmResult,
    LstmState,
    initial_state,
    run,
    run_add,
    run_argmax,
    run_convolution,
    run_linear,
    run_lstm,
    run_max_pool,
    run_sequence,
    windows_of,
)

__all__ = [
    "LayerResult",
    "LstmResult",
    "LstmState",
    "initial_state",
    "run",
    "run_add",
    "run_argmax",
    "run_convolution",
    "run_linear",
    "run_lstm",
    "run_max_pool",
    "run_sequence",
    "windows_of",
]
