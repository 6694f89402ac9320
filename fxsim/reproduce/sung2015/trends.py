"""Claims of Sung et al. 2015 on feed-forward and on convolutional networks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from fxsim.reproduce.experiment import Trend
from fxsim.reproduce.sung2015.family import Family, Run, damage, excess, gap, mean


def _float(run: Run) -> float:
    return float(run["float"])


def _row(values: Sequence[float]) -> str:
    return " / ".join(f"{value:.2f}" for value in values)


def _ratio(values: Sequence[float]) -> float:
    return values[0] / max(values[-1], 0.01)


def frames_trends(family: Family) -> list[Trend]:
    """Figures 4 to 6 and table 1."""
    first = family.over_width(excess, family.groups[0])
    last = family.over_width(excess, family.groups[-1])
    wide = [runs for label, runs in family.widths.items() if int(label) >= 128]
    six = max(abs(mean(runs, damage, 6)) for runs in wide)
    eight = max(family.over_width(damage, 8))
    return [
        *_width(family, "Fig. 6: nearly none at 1024 units", "Table 1: 1.18 against 1.55 points"),
        Trend(
            claim="6 bits suffice for direct quantization of networks with 128 units and more",
            paper="Fig. 5",
            here=f"at most {six:.2f} points",
            holds=six < 0.5,
        ),
        Trend(
            claim="Smaller networks need 8 bits",
            paper="Fig. 5",
            here=f"8 bits: at most {eight:.2f} points; 6 bits: "
            + _row(family.over_width(damage, 6)),
            holds=eight < 0.5 <= max(family.over_width(damage, 6)),
        ),
        Trend(
            claim="The excess error of In-h1 alone is about constant in width",
            paper="Fig. 4: about 10 points",
            here=_row(first),
            holds=max(first) < 2.5 * min(first),
        ),
        Trend(
            claim="The excess error of the output layer alone shrinks with width",
            paper="Fig. 4",
            here=_row(last),
            holds=last[-1] < last[0] / 2,
        ),
        *_depth(family, "Table 1: 3.91 to 1.55 points", "Table 1: 34.67 to 30.31 %"),
    ]


def images_trends(family: Family) -> list[Trend]:
    """Figures 5 and 7, and table 2."""
    six = family.over_width(damage, 6)
    first = family.over_width(excess, family.groups[0])
    three = [mean(runs, gap, 3) for runs in family.depths.values()]
    two = [mean(runs, gap, 2) for runs in family.depths.values()]
    return [
        *_width(family, "Fig. 7: less than 1 point at 128-128-256", "Table 2: 0.08 against 1.07"),
        Trend(
            claim="Convolutional networks of 16-16-32 maps need about 6 bits when quantized"
            " directly",
            paper="Fig. 5",
            here=f"{_row(six)} points at {', '.join(family.widths)}",
            holds=six[-1] < 0.5,
        ),
        Trend(
            claim="The excess error of In-C1 alone is about constant in width",
            paper="section 4.1: its windows have 75 inputs at every width",
            here=_row(first),
            holds=max(first) < 2.5 * min(first),
        ),
        Trend(
            claim="The gap with 7 levels is very small at every depth",
            paper="Table 2: -0.04 / 0.03 / 0.08 points",
            here=f"{_row(three)}; with 3 levels {_row(two)}",
            holds=max(three) < 0.5,
        ),
        *_depth(family, "Table 2: 1.18 to 1.07 points", "Table 2: 34.19 to 26.87 %"),
    ]


def _width(family: Family, vanishes: str, levels: str) -> list[Trend]:
    retrained, straight = (family.over_width(value, 2) for value in (gap, damage))
    seven = family.over_width(gap, 3)
    small, large = next(iter(family.widths)), list(family.widths)[-1]
    return [
        Trend(
            claim=f"{family.title}: the gap of retrained ternary networks shrinks with width",
            paper=vanishes,
            here=f"{retrained[0]:.2f} points at {small}, {retrained[-1]:.2f} at {large}",
            holds=retrained[-1] < retrained[0] / 2,
        ),
        Trend(
            claim="It shrinks faster than the damage of direct quantization",
            paper="Fig. 6" if family.kind == "frames" else "Fig. 7",
            here=f"gap / {_ratio(retrained):.1f}, direct damage / {_ratio(straight):.1f}",
            holds=_ratio(retrained) > _ratio(straight),
        ),
        Trend(
            claim="Retraining with 7 levels leaves less than with 3",
            paper=levels,
            here=f"{_row(seven)} against {_row(retrained)}",
            holds=all(a < b for a, b in zip(seven, retrained, strict=True)),
        ),
    ]


def _depth(family: Family, gaps: str, errors: str) -> list[Trend]:
    depths = list(family.depths)
    two = [mean(runs, gap, 2) for runs in family.depths.values()]
    floats = [mean(runs, _float) for runs in family.depths.values()]
    ends = f"from {depths[0][0]} to {depths[-1][0]} {family.of_depth}"
    return [
        Trend(
            claim=f"{family.title}: the gap of retrained ternary networks shrinks with depth",
            paper=f"{gaps} {ends}",
            here=_row(two),
            holds=_falls(two),
        ),
        Trend(
            claim=f"{family.title}: the float error falls with depth",
            paper=f"{errors} {ends}",
            here=f"{_row(floats)} %",
            holds=_falls(floats),
        ),
    ]


def _falls(values: list[float]) -> bool:
    """True if each value is below the one before."""
    return all(after < before for before, after in pairwise(values))
