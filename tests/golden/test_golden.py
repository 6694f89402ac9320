"""What is shipped has the figures that were pinned; ``make golden`` pins them anew."""

import pytest

from tests.golden import figures


def test_all_that_is_shipped_is_pinned():
    assert sorted(figures.pinned()) == figures.names()


@pytest.mark.parametrize("name", figures.names())
def test_figures(name):
    assert figures.figures_of(name) == figures.pinned()[name], "make golden says what changed"
