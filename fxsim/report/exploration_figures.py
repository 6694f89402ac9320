"""Figures of an exploration: fronts, word lengths, sensitivities, convergence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fxsim.explorer.front import in_words
from fxsim.explorer.pareto import nondominated
from fxsim.report.figures import COLOURS, INK, MUTED, render_figure

Row = Mapping[str, Any]
TITLES = {
    "error": "error (share of wrong answers)",
    "loss": "loss (bits)",
    "weight_memory_bits": "weight memory (bits)",
    "cycles": "cycles between vectors",
    "latency": "latency (cycles)",
    "energy": "energy by the model (pJ)",
    "logic": "logic as it is packed",
    "lut": "LUTs",
    "ff": "flip-flops",
    "carry": "carry cells",
    "dsp": "DSP blocks",
    "block_ram": "block RAMs",
}


HEADS = {
    "error": "Error",
    "loss": "Loss (bits)",
    "weight_memory_bits": "Weights (bits)",
    "cycles": "Cycles",
    "latency": "Latency",
    "energy": "Energy (pJ)",
    "logic": "Logic",
    "ff": "FFs",
    "carry": "Carry cells",
    "dsp": "DSPs",
    "block_ram": "Block RAMs",
    "test_error": "Test error",
    "retrained_error": "Error, retrained",
    "retrained_test_error": "Test error, retrained",
    "part_taken": "Part taken",
    "clock_mhz": "Clock (MHz)",
}


def head_of(metric: str) -> str:
    """Short name of a metric, for the head of a column."""
    return HEADS.get(metric) or TITLES[metric]


def title_of(metric: str) -> str:
    """Name of a metric with its unit."""
    return TITLES[metric]


def pareto_figure(
    k: int, names: tuple[str, str], cloud: Sequence[Row], front: Sequence[Row], chosen: int
) -> str:
    """Two objectives: every point within the limits, the front, and the chosen point."""
    x, y = names

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.plot(
            [row["metrics"][x] for row in cloud],
            [row["metrics"][y] for row in cloud],
            linestyle="none",
            marker="o",
            markersize=3,
            markeredgewidth=0,
            color=MUTED,
            alpha=0.35,
            label="evaluated",
        )
        shown = sorted({(row["metrics"][x], row["metrics"][y]) for row in front})
        stairs = [shown[i] for i in nondominated(shown)]  # of these two objectives alone
        axes.plot(*zip(*stairs, strict=True), color=COLOURS[0], drawstyle="steps-post")
        axes.plot(
            *zip(*shown, strict=True),
            color=COLOURS[0],
            marker="o",
            markersize=6,
            markeredgewidth=0,
            linestyle="none",
            label="front",
        )
        again = [
            (row["metrics"][x], seen[y])
            for row in front
            if y in (seen := row.get("retrained", {}).get("validation", {}))
        ]
        if again:
            axes.plot(
                *zip(*again, strict=True),
                color=COLOURS[2],
                marker="D",
                markersize=4,
                markeredgewidth=0,
                linestyle="none",
                label="front, retrained",
            )
        for row in front:
            if row["point"] == chosen:
                axes.plot(
                    [row["metrics"][x]],
                    [row["metrics"][y]],
                    linestyle="none",
                    marker="*",
                    markersize=17,
                    markeredgewidth=0,
                    color=COLOURS[1],
                    label=f"point {chosen}",
                )
        axes.set_xlabel(title_of(x))
        axes.set_ylabel(title_of(y))
        axes.margins(0.05)
        axes.grid()
        figure.legend(loc="outside right center")

    return render_figure(draw, 4.0, f"pareto{k}: {y} over {x}")


def heat_figure(front: Sequence[Row], sizes: Mapping[str, int], chosen: int) -> str:
    """Value of each variable at each point of the front; darker is more precise."""
    names = list(sizes)

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        shares = [
            [
                k / (sizes[name] - 1) if sizes[name] > 1 else 0.0
                for name, k in zip(names, row["choices"], strict=True)
            ]
            for row in front
        ]
        for i, line in enumerate(shares):
            for j, share in enumerate(line):
                axes.barh(
                    i, 0.94, left=j - 0.47, height=0.9, color=COLOURS[0], alpha=0.12 + 0.5 * share
                )
                text = in_words(front[i]["values"][names[j]])
                shown = text if len(text) < 12 else text[:11] + "…"
                axes.annotate(shown, (j, i), ha="center", va="center", color=INK)
        axes.set_xticks(range(len(names)), names, rotation=0 if len(names) < 8 else 35)
        labels = [f"{'★ ' if row['point'] == chosen else ''}{row['point']}" for row in front]
        axes.set_yticks(range(len(front)), labels)
        axes.set_ylabel("point")
        axes.set_xlim(-0.5, len(names) - 0.5)
        axes.set_ylim(len(front) - 0.5, -0.5)
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)

    return render_figure(draw, 1.0 + 0.34 * len(front), "heat: word lengths of the front")


def sensitivity_figure(added: Mapping[str, float]) -> str:
    """Loss that each variable adds alone at its cheapest value, all others being finest."""
    rows = sorted(added.items(), key=lambda item: -item[1])

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.barh(range(len(rows)), [loss for _, loss in rows], height=0.6, color=COLOURS[0])
        for y, (_, loss) in enumerate(rows):
            axes.annotate(
                f"{loss:+.3g}", (max(loss, 0), y), (5, 0), textcoords="offset points", va="center"
            )
        axes.axvline(0, color=MUTED, linewidth=0.8)
        axes.set_yticks(range(len(rows)), [name for name, _ in rows])
        axes.invert_yaxis()
        axes.margins(x=0.12)
        axes.set_xlabel("added loss (bits)")
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)

    return render_figure(draw, 0.9 + 0.36 * len(rows), "sensitivity: added loss by variable")


def convergence_figure(curve: Sequence[float]) -> str:
    """Hypervolume after each evaluation, as a share of the last."""
    last = curve[-1] or 1.0

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.plot(
            range(1, len(curve) + 1),
            [100 * value / last for value in curve],
            color=COLOURS[0],
            linewidth=2,
            drawstyle="steps-post",
            marker="o" if len(curve) == 1 else None,
        )
        axes.set_xlabel("evaluations")
        axes.set_ylabel("hypervolume (% of the last)")
        axes.set_ylim(0, 104)
        axes.set_xlim(left=0)
        axes.grid()

    return render_figure(draw, 3.2, "convergence: hypervolume over evaluations")
