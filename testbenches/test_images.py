"""Networks that work on images: random ones on both simulators, every layer and every cycle."""

from hypothesis import given
from hypothesis import strategies as st

from testbenches.test_networks import check, drawn
from tests.image_strategies import image_networks
from tests.strategies import batches


@drawn(max_examples=10)
@given(drawn_data=st.data())
def test_random_network_on_icarus(drawn_data, tmp_path_factory):
    network = drawn_data.draw(image_networks(max_side=7, max_channels=4))
    batch = drawn_data.draw(batches(network, 4))
    check(network, {"icarus": batch}, tmp_path_factory.mktemp("random"))


@drawn(max_examples=2)
@given(drawn_data=st.data())
def test_random_network_on_verilator(drawn_data, tmp_path_factory):
    network = drawn_data.draw(image_networks(max_side=10))
    batch = drawn_data.draw(batches(network, 7))
    check(network, {"verilator": batch}, tmp_path_factory.mktemp("random"), quick=True)
