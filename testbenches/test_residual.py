"""Networks with adds and argmax: random ones, every layer and every cycle; depths are tight."""

from hypothesis import given
from hypothesis import strategies as st

from testbenches.test_networks import check, drawn
from tests.residual_strategies import residual_networks
from tests.strategies import batches


@drawn(max_examples=12)
@given(drawn_data=st.data())
def test_random_network_on_icarus(drawn_data, tmp_path_factory):
    network = drawn_data.draw(residual_networks(max_side=6))
    batch = drawn_data.draw(batches(network, 5))
    check(network, {"icarus": batch}, tmp_path_factory.mktemp("random"))


@drawn(max_examples=2)
@given(drawn_data=st.data())
def test_random_network_on_verilator(drawn_data, tmp_path_factory):
    network = drawn_data.draw(residual_networks(max_blocks=3))
    batch = drawn_data.draw(batches(network, 7))
    check(network, {"verilator": batch}, tmp_path_factory.mktemp("random"), quick=True)
