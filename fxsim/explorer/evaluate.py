"""Metrics of a point: accuracy on the validation samples, memory, cycles, energy, area.

Points share what they have in common: weights of the same levels, and layers (calibrated, and run
on the validation samples) whose own keys and those of all that they depend on are the same.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import numpy.typing as npt

from fxsim.arithmetic.formats import AccumulatorMode
from fxsim.errors import RangeError, SpecError
from fxsim.explorer.job import Job
from fxsim.explorer.memory import Memory
from fxsim.explorer.metrics import structure_metrics
from fxsim.explorer.space import Choices
from fxsim.floats.scores import accuracy, bits_per_character
from fxsim.network import QuantizedNetwork
from fxsim.quantizer.quantizer import arithmetic_key, quantize, uses_retrained
from fxsim.quantizer.remarks import quiet
from fxsim.simulator.inputs import as_input
from fxsim.simulator.simulator import run_layer
from fxsim.spec.specification import NetworkSpec


class Evaluator:
    """Evaluates the points of a job; keeps what the next ones may share."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._memory = Memory()

    def network(self, choices: Choices) -> QuantizedNetwork:
        """Network of a point: the very one that ``fxsim quantize`` makes.

        Raises
        ------
        SpecError, RangeError
            If the values of the point do not go together.
        """
        return self._quantize(self.job.space.apply(choices))

    def __call__(self, choices: Choices) -> dict[str, float] | str:
        """Metrics of a point by name, or why there is no such network."""
        try:
            spec = self.job.space.apply(choices)
            network = self._quantize(spec)
        except (SpecError, RangeError) as error:
            return str(error)
        return self._accuracy(spec, network) | self.costs(network)

    def costs(self, network: QuantizedNetwork) -> dict[str, float]:
        """Metrics that need no samples; predicted cells where the job has a cost model."""
        found = structure_metrics(network)
        if self.job.costs is not None:
            found |= self.job.costs.predict(network)
        return found

    def _quantize(self, spec: NetworkSpec) -> QuantizedNetwork:
        job = self.job
        with quiet():
            return quantize(
                spec, job.checkpoint, job.calibration, direct=job.direct, remember=self._memory
            )

    def _accuracy(self, spec: NetworkSpec, network: QuantizedNetwork) -> dict[str, float]:
        key = ("accuracy", *self._key(spec, network, spec.in_network(spec.output)))
        found: dict[str, float] = self._memory(key, lambda: self._measure(spec, network))
        return found

    def _measure(self, spec: NetworkSpec, network: QuantizedNetwork) -> dict[str, float]:
        scored = spec.in_network(spec.logits(spec.output))
        y, output = self.job.validation.y, network.types[scored].activation
        answer = self._run(spec, network, scored)
        real = output.scale * (answer.astype(np.float64) - output.zero_point)
        return {"error": 1.0 - accuracy(real, y), "loss": bits_per_character(real, y)}

    def _run(self, spec: NetworkSpec, network: QuantizedNetwork, name: str) -> npt.NDArray[Any]:
        """Integers that an input or a layer yields for the validation samples."""

        def make() -> npt.NDArray[Any]:
            if name in spec.inputs:
                return as_input(network, self.job.validation.x)
            operands = [self._run(spec, network, source) for source in network.taken[name]]
            return run_layer(network[name], *operands)

        if name not in spec.shapes:  # brings an operand of a layer to the format of the others
            return make()
        result: npt.NDArray[Any] = self._memory(("run", *self._key(spec, network, name)), make)
        return result

    def _key(self, spec: NetworkSpec, network: QuantizedNetwork, name: str) -> tuple[Hashable, ...]:
        """Key of all that the integers of an input or a layer depend on.

        Only an accumulator that saturates makes the folding part of the arithmetic.
        """
        if name in spec.inputs:
            return name, spec.inputs[name], spec.rounding
        index = spec.layer_index(name)
        before = {spec.layer_name(i) for i in spec.graph.ancestors(index)}
        beats = tuple(
            product.folding.simd if product.accumulator.mode is AccumulatorMode.SATURATE else 0
            for layer in network.layers
            if layer.name in before
            for product in layer.linears
        )
        return name, arithmetic_key(spec, index), beats, self._direct(spec)

    def _direct(self, spec: NetworkSpec) -> bool:
        return self.job.direct or not uses_retrained(spec, self.job.checkpoint)
