"""Put the pages of reproductions into docs/papers.md.

``python -m benchmarks.papers FOLDER...`` takes folders that ``fxsim reproduce -o FOLDER`` wrote.
Each page replaces the section of its paper; its figures go to docs/papers/.
"""

from __future__ import annotations

import argparse
import csv
import re
from pathlib import Path

from fxsim.errors import FileError
from fxsim.files import write_text
from fxsim.reproduce.papers import Paper

DOCS = Path(__file__).parents[1] / "docs"


def section(page: Path) -> str:
    """Page of a paper as a section: without its times, which are summed up."""
    paper, text = page.stem, page.read_text()
    with (page.parent / "seconds.csv").open() as file:
        minutes = sum(float(row["processor seconds"]) for row in csv.DictReader(file)) / 60
    text = re.sub(r"### Time\n\n.*?(?=\n### |\Z)", "", text, flags=re.S)
    text = re.sub(r"### [^\n]*\n\n(!\[[^\]]*\]\()", rf"\1papers/{paper}-", text)
    run = f"`fxsim reproduce {paper} -o FOLDER`: {minutes:.1f} minutes of processor time."
    text = text.replace("### Claims of the paper\n", f"{run}\n")
    return re.sub(r"\n{3,}", "\n\n", f"#{text}").strip()


def main() -> None:
    """Replace sections and figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    for folder in parser.parse_args().folders:
        found = [page for page in folder.glob("*.md") if page.stem in set(Paper)]
        if len(found) != 1:
            raise FileError(f"{folder}: no page of a reproduction")
        [page] = found
        whole = (DOCS / "papers.md").read_text()
        begin, end = f"<!-- {page.stem} -->", f"<!-- end of {page.stem} -->"
        if begin not in whole or end not in whole:
            raise FileError(f"docs/papers.md: {begin} or {end} is missing")
        head, _, rest = whole.partition(begin)
        text = f"{head}{begin}\n{section(page)}\n{end}{rest.partition(end)[2]}"
        for old in (DOCS / "papers").glob(f"{page.stem}-*.svg"):
            old.unlink()
        for name in re.findall(rf"\(papers/{page.stem}-(.*?\.svg)\)", text):
            write_text(DOCS / "papers" / f"{page.stem}-{name}", (folder / name).read_text())
        write_text(DOCS / "papers.md", text)


if __name__ == "__main__":
    main()
