"""LSTM networks: Verilog equal to the simulator at every step, h and c, and to the cycle model."""

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from testbenches.verify import verify
from tests.lstm_strategies import recurrent_networks, sequences


def check(network, x, simulator, folder):
    """All pause patterns: every output and every cell state of every step, and every cycle."""
    (result,) = verify(network, vectors={simulator: x}, seed=3, folder=folder)
    assert result.messages == []
    assert (result.tests, result.wrong) == (4, 0)
    assert result.words > 0
    assert result.latency_measured == result.latency_predicted


@settings(
    max_examples=10,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(data=st.data())
def test_random_networks_on_icarus(data, tmp_path_factory):
    network = data.draw(recurrent_networks())
    x = data.draw(sequences(network, 3, 4))
    check(network, x, "icarus", tmp_path_factory.mktemp("job"))
