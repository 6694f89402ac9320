"""Random layers that join, enlarge and rescale, and networks that mix them with all others."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from fxsim.arithmetic.formats import Overflow, Rounding
from fxsim.network import Requantizer, Rescale
from tests.image_strategies import divisor
from tests.strategies import activations


@st.composite
def rescales(draw, *, source, shape, name="rescale", output=None):
    """Random `Rescale` objects; the results have a few bits more often than not."""
    bits, channels = draw(st.integers(0, 12)), shape[0]
    count = draw(st.sampled_from([1, channels]))
    most = (1 << bits) - 1
    factor = st.integers(0, most) | st.just(most) if bits else st.just(1)
    reach = 1 << draw(st.integers(0, source.format.bits + bits))
    overflow = draw(st.sampled_from(Overflow))
    if output is None:
        output = draw(activations(wraps=overflow is Overflow.WRAP))
    elif output.format.narrow:
        overflow = Overflow.SATURATE
    shift = draw(st.integers(0, 3) | st.integers(max(0, bits - 2), bits + 2))
    return Rescale(
        name=name,
        shape=shape,
        input=source,
        requantizer=Requantizer(
            multiplier=np.array([draw(factor) for _ in range(count)]),
            multiplier_bits=bits,
            shift=shift,
            rounding=draw(st.sampled_from(Rounding)),
            overflow=overflow,
            offset=np.array([draw(st.integers(-reach, reach)) for _ in range(count)]),
            slack_bits=draw(st.integers(0, min(shift, 3))),
        ),
        relu=draw(st.booleans()),
        output=output,
        lanes=draw(divisor(channels)),
    )
