"""Alvarez, Prabhavalkar and Bakhtin 2016, On the efficient representation and execution of deep
acoustic models: 8-bit weights with a zero point, and training that knows of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fxsim.data import Dataset
from fxsim.reproduce.alvarez2016.bias import bias
from fxsim.reproduce.alvarez2016.plan import FULL, QUICK, Plan
from fxsim.reproduce.alvarez2016.tables import bias_table, plot, tables
from fxsim.reproduce.alvarez2016.trends import mean, trends, with_losses
from fxsim.reproduce.experiment import Outcome
from fxsim.reproduce.runs import Experiment, Results, seconds

__all__ = ["EXPERIMENT", "FULL", "QUICK", "Plan", "evaluate"]

SETUP = """\
*Bias.* Random matrices with ranges that do not hold 0 exactly, quantized by eq. (2) and (3) of the
paper (both rounds alike), by V' = round(Q (V - V_min)) recovered with round(Q V_min), and by
truncation recovered with the float V_min. Errors of values in steps, of dot products with
non-negative activations relative to the result's root mean square.

*Networks.* Character language models on {text.name}: *match*, trained and run in float; *mismatch*,
trained in float, run in integers; *quant*, trained on in quantized form in all layers but the
classifier; *quant-all*, in all layers. All four have the same number of epochs. Integers are those
of the bit-exact simulator: asymmetric weights of a range for each gate matrix, 8-bit activations,
tables for the nonlinearities. The further training is Algorithm 1: before each update the range of
each gate matrix is taken again, the forward pass has quantized weights and the inputs x and h of
each product quantized on the fly to 8 bits (and the cells' outputs before a projection), the
backward pass has the float weights and inputs, and the float weights take the updates. What
differs: a range belongs to one vector, that of a sequence at a time step, where the paper says
only "inputs" (so that nothing depends on the other sequences of a batch), and it is made to hold 0;
products of quantized values are summed in float, which for words of 8 bits is the same but for the
last bits; the loss is the cross entropy from beginning to end; and the integers that are compared
have calibrated ranges for their activations instead of ranges found on the fly, which the hardware
does not have.
The paper's figures are word error rates of speech recognisers with 3 to 10 million parameters."""


def evaluate(plan: Plan, results: Results, sets: Mapping[str, Dataset]) -> Outcome:
    """Verdicts, tables and figures of finished runs."""
    networks: dict[str, list[dict[str, Any]]] = {}
    for recipe in plan.recipes:
        networks.setdefault(recipe.label, []).append(with_losses(results[recipe.name]))
    runs = {label: mean(found) for label, found in networks.items()}
    biases = [bias(steps, terms) for steps, terms in ((255, 128), (255, 1024), (63, 1024))]
    return Outcome(
        name="alvarez2016",
        title="Efficient representation with 8 bits (Alvarez et al. 2016)",
        setup=SETUP.format(**sets),
        trends=trends(runs, biases),
        tables=[bias_table(biases), *tables(networks), seconds(results)],
        plots=[plot(runs)],
    )


EXPERIMENT = Experiment(sets={"text": "pydoc"}, quick=QUICK, full=FULL, evaluate=evaluate)
