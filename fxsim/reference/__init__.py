"""The oracle: the arithmetic of networks on Python integers, slowly and obviously."""

from fxsim.reference.add import run_add
from fxsim.reference.argmax import run_argmax
from fxsim.reference.concat import run_concat
from fxsim.reference.convolution import run_convolution
from fxsim.reference.interpreter import run, run_layer, run_sequence
from fxsim.reference.linear import run_linear
from fxsim.reference.lstm import LstmResult, run_lstm
from fxsim.reference.pool import run_max_pool
from fxsim.reference.rescale import run_rescale
from fxsim.reference.resize import run_resize
from fxsim.reference.result import LayerResult, LstmState, initial_state
from fxsim.reference.windows import windows_of

__all__ = [
    "LayerResult",
    "LstmResult",
    "LstmState",
    "initial_state",
    "run",
    "run_add",
    "run_argmax",
    "run_concat",
    "run_convolution",
    "run_layer",
    "run_linear",
    "run_lstm",
    "run_max_pool",
    "run_rescale",
    "run_resize",
    "run_sequence",
    "windows_of",
]
