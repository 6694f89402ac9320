"""What a queue refuses; `fxsim.testbenches.residual_blocks` runs it."""

import pytest

from fxsim.errors import ConfigError
from fxsim.hw.queue import Queue
from tests.messages import raises


@pytest.mark.parametrize("depth", [0, 1])
def test_a_queue_needs_a_word_of_memory(depth):
    with raises(ConfigError, f"depth must be at least 2, not {depth}"):
        Queue(8, depth=depth)
