"""The integers of a network, fast: outputs, traces, and figures computed from them."""

from typing import TYPE_CHECKING

from fxsim.faces import face

if TYPE_CHECKING:
    from fxsim.simulator.inputs import as_input
    from fxsim.simulator.simulator import simulate, simulate_outputs
else:
    __getattr__, __dir__ = face(
        __name__,
        {
            "as_input": "fxsim.simulator.inputs",
            "simulate": "fxsim.simulator.simulator",
            "simulate_outputs": "fxsim.simulator.simulator",
        },
    )

__all__ = ["as_input", "simulate", "simulate_outputs"]
