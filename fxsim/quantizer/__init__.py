"""Float parameters and a specification -> a network of integers."""

from typing import TYPE_CHECKING

from fxsim.faces import face

if TYPE_CHECKING:
    from fxsim.quantizer.quantizer import quantize, quantize_input
else:
    __getattr__, __dir__ = face(
        __name__,
        {
            "quantize": "fxsim.quantizer.quantizer",
            "quantize_input": "fxsim.quantizer.quantizer",
        },
    )

__all__ = ["quantize", "quantize_input"]
