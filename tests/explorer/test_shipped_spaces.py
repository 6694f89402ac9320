"""Search spaces of the shipped models: no value is impossible on its own."""

import pytest

from fxsim.explorer.space import load_space
from fxsim.spec import load_spec
from tests.places import MODELS

SPACES = sorted(path.parent.name for path in MODELS.glob("*/explore.yaml"))


@pytest.mark.parametrize("name", SPACES)
def test_each_value_goes_with_the_finest_of_the_others(name):
    spec = load_spec(MODELS / name / "spec.yaml")
    space = load_space(spec, "s", MODELS / name / "explore.yaml")
    seen = set()
    for variable, size in enumerate(space.sizes):
        for k in range(size):
            choices = list(space.finest)
            choices[variable] = k
            seen.add(space.apply(tuple(choices)).model_dump_json())
    assert len(seen) == sum(space.sizes) - len(space.sizes) + 1  # each one tells
