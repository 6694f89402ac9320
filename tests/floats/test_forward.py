import numpy as np
import pytest

from fxsim.errors import RangeError
from fxsim.floats.checkpoint import LinearParameters
from fxsim.floats.forward import forward
from fxsim.floats.scores import accuracy
from fxsim.spec import parse_spec

SPEC = parse_spec(
    {
        "name": "net",
        "data": "none",
        "input": {"shape": [2]},
        "layers": [
            {"type": "linear", "units": 2, "nonlinearity": "relu", "output": {}},
            {"type": "linear", "units": 1},
        ],
    },
    "test",
)
PARAMETERS = {
    "layer0": LinearParameters(
        weight=np.array([[1.0, -1.0], [0.5, 2.0]]), bias=np.array([0, -1.0])
    ),
    "layer1": LinearParameters(weight=np.array([[3.0, 10.0]]), bias=np.array([-7.0])),
}


def test_a_network_worked_by_hand():
    x = np.array([[1.0, 2.0], [4.0, 1.0], [0.0, 0.0]])
    # hidden: (-1, 3.5), (3, 3), (0, -1); negative ones are cut
    assert forward(SPEC, PARAMETERS, x).tolist() == [[28.0], [32.0], [-7.0]]


def test_an_empty_batch_stays_empty():
    assert forward(SPEC, PARAMETERS, np.zeros((0, 2))).shape == (0, 1)


def test_the_shape_is_checked():
    with pytest.raises(RangeError, match=r"^x must have shape \(n, 2\), not \(5, 3\)$"):
        forward(SPEC, PARAMETERS, np.zeros((5, 3)))


def test_accuracy_takes_the_first_of_equal_outputs():
    logits = np.array([[1.0, 1.0], [0.0, 2.0], [0.0, 2.0], [5.0, 2.0]])
    assert accuracy(logits, np.array([0, 1, 0, 1])) == 0.5
