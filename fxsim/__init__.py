"""fxsim: from a trained neural network to verified fixed-point hardware, bit for bit."""

from typing import TYPE_CHECKING

from fxsim.faces import face

if TYPE_CHECKING:
    from fxsim.network.storage import load_network
    from fxsim.simulator.simulator import simulate
else:
    __getattr__, __dir__ = face(
        __name__,
        {
            "load_network": "fxsim.network.storage",
            "simulate": "fxsim.simulator.simulator",
        },
    )

__all__ = ["__version__", "load_network", "simulate"]

__version__ = "0.1.0"
