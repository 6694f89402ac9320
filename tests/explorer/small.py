"""A small network, its data, and a search space that is quickly enumerated."""

import numpy as np

from fxsim.data import Dataset, Split
from fxsim.explorer.job import make_job
from fxsim.explorer.space import parse_space
from tests.two_layers import make_checkpoint, make_spec, samples

SPACE = {
    "variables": {
        "input_bits": {"set": ["input.bits"], "to": [2, 4, 8]},
        "weights0": {"set": ["layers[0].weights.levels"], "to": [3, 15, 255]},
        "bits0": {"set": ["layers[0].output.bits"], "to": [2, 4, 8]},
        "weights1": {"set": ["layers[1].weights.levels"], "to": [3, 255]},
    },
    "objectives": ["loss", "weight_memory_bits"],
}


def make_dataset(spec, n=80):
    """Labels are those of a float network, so that coarse word lengths are worse."""
    checkpoint = make_checkpoint(spec)
    from fxsim.floats.forward import forward

    def split(seed, count):
        x = samples(spec, n=count, seed=seed)
        return Split(x, forward(spec, checkpoint.parent, x).argmax(axis=1).astype(np.int64))

    return Dataset("d", split(5, n), split(6, 40), 5, validation=split(7, 20))


def make_space(spec=None, **changes):
    return parse_space(spec or make_spec(), SPACE | changes, "space.yaml")


def make(spec=None, **changes):
    """Job over the space, with keys of it changed."""
    spec = spec or make_spec()
    return make_job(make_space(spec, **changes), make_checkpoint(spec), make_dataset(spec))
