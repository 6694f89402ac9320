"""Result of a reproduction: verdicts on the paper's claims, tables, figures, one page."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fxsim.files import write_text
from fxsim.folders import filling


@dataclass(frozen=True, kw_only=True)
class Trend:
    """A trend that the paper claims.

    Parameters
    ----------
    claim : str
    paper, here : str
        Its figures and ours.
    holds : bool
        In this run; no more is claimed.
    """

    claim: str
    paper: str
    here: str
    holds: bool

    @property
    def verdict(self) -> str:
        """In words."""
        return "holds in this run" if self.holds else "does not hold in this run"


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under columns; ``name`` is that of the CSV file. Floats are shown with 4 digits."""

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    note: str = ""

    def markdown(self) -> str:
        """The table under its title, in Markdown."""
        lines = [self.columns, ["---"] * len(self.columns)]
        lines += [[shown(value) for value in row] for row in self.rows]
        text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        return "\n\n".join(part for part in (f"### {self.title}", self.note, text) if part)

    def csv(self) -> str:
        """The table with all digits."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(self.rows)
        return buffer.getvalue()


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A figure; ``name`` is that of the SVG file."""

    name: str
    title: str
    svg: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A finished reproduction.

    Parameters
    ----------
    name : str
        Name of the command and of the page.
    title, setup : str
        Description of what was reproduced, and how: Markdown.
    """

    name: str
    title: str
    setup: str
    trends: Sequence[Trend]
    tables: Sequence[Table]
    plots: Sequence[Plot]

    @property
    def verdicts(self) -> Table:
        """The claims, the paper's figures, ours, and whether they agree."""
        return Table(
            name="verdicts",
            title="Claims of the paper",
            columns=["claim", "paper", "here", "verdict"],
            rows=[[trend.claim, trend.paper, trend.here, trend.verdict] for trend in self.trends],
        )

    def markdown(self) -> str:
        """The whole page."""
        parts = [f"# {self.title}", self.setup, self.verdicts.markdown()]
        parts += [table.markdown() for table in self.tables]
        for plot in self.plots:
            parts.append(f"### {plot.title}\n\n![{plot.title}]({plot.name}.svg)")
        return "\n\n".join(parts) + "\n"

    @property
    def page(self) -> str:
        """Name of the file of the page."""
        return f"{self.name}.md"

    def write(self, folder: Path) -> Path:
        """Write page, CSV files and figures; returns the page.

        Raises
        ------
        FileError
            If they cannot be written.
        """
        with filling(folder, f"reproduce-{self.name}") as own:
            for table in (self.verdicts, *self.tables):
                write_text(own / f"{table.name}.csv", table.csv())
            for plot in self.plots:
                write_text(own / f"{plot.name}.svg", plot.svg)
            write_text(own / self.page, self.markdown())
        return folder / self.page


def shown(value: Any) -> str:
    """A cell of a table."""
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Mean and standard deviation of the seeds; the value alone where there is one."""
    text = f"{statistics.mean(values):.{digits}f}"
    return text if len(values) == 1 else f"{text} ± {statistics.stdev(values):.{digits}f}"
