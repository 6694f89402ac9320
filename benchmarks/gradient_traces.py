"""Record the gate gradients of a character LSTM in training: models/gradient-traces.

``python -m benchmarks.gradient_traces`` trains the LSTM of charlm-lstm-int8 with sparsified
gradients (about half a minute on one core), quantizes it early, in the middle and at the end, runs
the fixed-point forward and backward pass on the validation text, and prints how dense it is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fxsim.arithmetic.formats import Rounding
from fxsim.data import Split, load
from fxsim.files import read_yaml
from fxsim.floats.checkpoint import Checkpoint
from fxsim.network import FloatArray, QuantizedLinear, QuantizedLstm, QuantizedNetwork
from fxsim.network.lstm_gradient import GradientFormat, LstmGradient
from fxsim.quantizer import quantize
from fxsim.simulator import as_input, gradient_traces, simulate
from fxsim.simulator.evaluate import calibration_samples
from fxsim.simulator.gradient_traces import STAGES, GradientTrace
from fxsim.spec.specification import NetworkSpec, parse_spec
from fxsim.training import Network, StepRecord, snapshot, train, validate

SOURCE = Path(__file__).parents[1] / "models" / "charlm-lstm-int8" / "spec.yaml"

SEQUENCES, STEPS = 16, 50

SCALES = {"early": (8, 2), "middle": (6, 2), "late": (6, 2)}
"""Fraction and threshold of the 8-bit dnet: about 80 % zeros at each stage.

They hold for gradients of the summed loss. Gradients are small at first, so a scale that belongs to
the training step is finer there.
"""

TAU = 2.5 / 64
"""Threshold of the training: what rounds to the threshold of the late stage, or less, is zeroed."""


def training_spec() -> NetworkSpec:
    """The recipe of charlm-lstm-int8 with sparsified gradients, without retraining."""
    value = read_yaml(SOURCE)
    del value["retrain"]
    value["train"]["sparsify"] = {"tau": TAU}
    return parse_spec(value, str(SOURCE))


def output_gradient(network: QuantizedNetwork, split: Split) -> FloatArray:
    """Real gradient (n, t, cells) of the summed cross entropy by the LSTM layer's output."""
    last = network.layers[-1]
    assert isinstance(last, QuantizedLinear)
    output = network.output
    logits = output.scale * (simulate(network, split.x) - output.zero_point)
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    wrong = shares - np.eye(last.outputs)[split.y]
    real: FloatArray = wrong @ (last.weight_scale.reshape(-1, 1) * last.weight)
    return real


def contract(layer: QuantizedLstm, stage: str) -> LstmGradient:
    """8-bit gate gradients; the accumulators cannot saturate."""
    fraction, threshold = SCALES[stage]
    state = GradientFormat(bits=16, fraction=11)
    return LstmGradient(
        layer=layer,
        dh=state,
        dc=state,
        dnet=GradientFormat(bits=8, fraction=fraction),
        dx=GradientFormat(bits=16, fraction=9),
        accumulator_bits=8 + 8 + (SEQUENCES * STEPS - 1).bit_length(),
        threshold=threshold,
        rounding=Rounding.TIES_AWAY,
    )


def record(stage: str, step: int, network: QuantizedNetwork, split: Split) -> GradientTrace:
    """Run ``network`` forward and backward over the sequences of ``split``."""
    layer = network.layers[0]
    assert isinstance(layer, QuantizedLstm)
    gradient = contract(layer, stage)
    fmt, exponent = gradient.dh.format, gradient.dh.fraction
    dy = np.clip(np.rint(np.ldexp(output_gradient(network, split), exponent)), fmt.min, fmt.max)
    x = as_input(network, split.x)
    return gradient_traces.run(stage, step, network, gradient, x, dy.astype(np.int64))


def rows(traces: list[GradientTrace]) -> Iterator[str]:
    """Markdown table of the density of the vectors of 4 * cells gate gradients."""
    yield "| stage | steps trained | zeros | of i, f, o, g | density p5 | mean | p95 | greatest |"
    yield "|---|---|---|---|---|---|---|---|"
    for trace in traces:
        found, density = trace.backward, trace.density
        gates = ", ".join(f"{4 * zeros / found.dnet.size:.2f}" for zeros in found.zeros.values())
        low, high = np.percentile(density, [5, 95])
        yield (
            f"| {trace.stage} | {trace.step} | {100 * found.sparsity:.1f} % | {gates}"
            f" | {low:.3f} | {density.mean():.3f} | {high:.3f} | {density.max():.3f} |"
        )


def main(folder: Path) -> None:
    """Train, record, print."""
    spec, dataset = training_spec(), load("pydoc")
    assert dataset.validation is not None
    validation = dataset.validation
    total = spec.train.epochs * -(-(dataset.train.y.size // spec.train.batch) // spec.train.steps)
    wanted = dict(zip((max(total // 200, 1), total // 2, total), STAGES, strict=True))
    found: dict[int, Checkpoint] = {}

    def step(record: StepRecord, network: Network) -> None:
        if record.step in wanted:
            found[record.step] = snapshot(spec, network)
            bpc = validate(network, validation)
            print(f"{wanted[record.step]}: step {record.step} of {total}, {bpc:.3f} bits/character")

    train(spec, dataset, on_step=step)
    every = len(validation.y) // SEQUENCES
    split = Split(validation.x[::every, :STEPS], validation.y[::every, :STEPS])
    samples = calibration_samples(dataset)
    traces = [
        record(stage, count, quantize(spec, found[count], samples), split)
        for count, stage in wanted.items()
    ]
    for trace in traces:
        gradient_traces.save(trace, folder)
    print("\n".join(rows(traces)))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else gradient_traces.shipped())
