"""Move the files of ``moves.txt``, and follow them in imports and in text; ``new/`` adds files.

A branch from before the moves is carried over in four steps: merge the commit that adds this file;
run this file and commit; ``git merge -s ours`` the commit of the moves, which are now made; merge
what follows. Files that the branch has deleted or moved already are skipped; its own files stay
where they are, and import from the new places.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
SUFFIXES = {".py", ".md", ".toml", ".j2", ""}
DOTTED = re.compile(r"\b(?:fxsim|tests)(?:\.\w+)+")

PATHS = {
    Path(old): Path(new)
    for old, new in (
        line.split()
        for line in (HERE / "moves.txt").read_text().splitlines()
        if line and not line.startswith("#")
    )
}


def module_of(path: Path) -> str:
    """Name by which a file or folder is imported; hw and testbenches are parts of fxsim."""
    head = [] if path.parts[0] in ("fxsim", "tests") else ["fxsim"]
    parts = [*head, *path.with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    module_of(old): module_of(new) for old, new in PATHS.items() if old.suffix in ("", ".py")
}
LONGEST = sorted(map(str, PATHS), key=len, reverse=True)
PATH = re.compile(rf"(?<![\w./])({'|'.join(map(re.escape, LONGEST))})(?!\w)")
NEW = set(MODULES.values())


def faces() -> dict[str, dict[str, str]]:
    """Module in which each name stands that a package exports, by package."""
    found = {}
    for path in (HERE / "new").rglob("__init__.py"):
        nodes = ast.walk(ast.parse(path.read_text()))
        imports = [node for node in nodes if isinstance(node, ast.ImportFrom)]
        package = module_of(path.relative_to(HERE / "new"))
        found[package] = {
            alias.name: node.module or ""
            for node in imports
            for alias in node.names
            if node.module != "fxsim.faces"
        }
    return found


FACES = faces()


def split(dotted: str) -> tuple[str, str] | None:
    """(new module, rest) of a dotted name; None if nothing in it moves."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        head, rest = ".".join(parts[:count]), ".".join(parts[count:])
        if head in MODULES:
            return MODULES[head], rest
        if head in NEW:
            return None
    return None


def text_name(dotted: str, *, quoted: bool) -> str:
    """New dotted name in prose, through the face of a package where that has it, or in a string."""
    found = split(dotted)
    if found is None:
        return dotted
    new, rest = found
    package = new.rpartition(".")[0]
    face = FACES.get(package, {})
    if not quoted and new in face.values() and (not rest or rest.split(".")[0] in face):
        return f"{package}.{rest}".removesuffix(".")
    return f"{new}.{rest}".removesuffix(".")


def homes(module: str, names: list[str], place: str) -> dict[str, str]:
    """Modules that a file of package ``place`` imports the names of ``module`` from.

    Files of a package import from its files. Others import through its face, where that has all.
    """
    new = text_name(module, quoted=True)
    package = module if module in FACES else new.rpartition(".")[0]
    face = FACES.get(package, {})
    if f"{place}.".startswith(f"{package}."):
        return {name: face.get(name, new) for name in names}
    return dict.fromkeys(names, package if set(names) <= set(face) else new)


def imported(node: ast.ImportFrom, tree: ast.Module, place: str) -> tuple[str, dict[str, str]]:
    """Text of an import, and the new names of modules that it binds."""
    module = node.module or ""
    found = homes(module, [alias.name for alias in node.names], place)
    lines: dict[str, list[str]] = {}
    renamed = {}
    for alias in node.names:
        name, bound, package = alias.name, alias.asname or alias.name, found[alias.name]
        moved = MODULES.get(f"{module}.{name}")
        if moved and moved.rpartition(".")[0] != f"{module}.{name}":  # else the face is meant
            package, _, name = moved.rpartition(".")
            if alias.asname is None and name != bound and free(bound, name, tree):
                renamed[bound] = name
                bound = name
        lines.setdefault(package, []).append(name if name == bound else f"{name} as {bound}")
    texts = [f"from {package} import ({', '.join(names)})" for package, names in lines.items()]
    return f"\n{' ' * node.col_offset}".join(texts), renamed


def free(old: str, new: str, tree: ast.Module) -> bool:
    """Whether ``old`` may be called ``new``: nothing else in the file has either name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.arg in (old, new):
            return False
        if isinstance(node, ast.Name) and (
            node.id == new or (node.id == old and not isinstance(node.ctx, ast.Load))
        ):
            return False
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in (old, new):
            return False
        if isinstance(node, ast.ImportFrom | ast.Import) and any(
            new in (alias.name, alias.asname) for alias in node.names
        ):
            return False
    return True


def edits(text: str, place: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, new text) of the imports of a file, and of the modules that they rename."""
    tree = ast.parse(text)
    starts = [0]
    for line in text.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    renamed: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and re.match(r"(fxsim|tests)\b", node.module or ""):
            new, names = imported(node, tree, place)
            renamed |= names
            if ast.unparse(ast.parse(textwrap.dedent(" " * node.col_offset + new))) != ast.unparse(
                node
            ):
                start = starts[node.lineno - 1] + node.col_offset
                yield start, starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0), new
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in renamed:
            start = starts[node.lineno - 1] + node.col_offset
            yield start, start + len(node.id), renamed[node.id]


def follow(path: Path) -> None:
    """Write a file anew with the new names of what has moved."""
    text = old = path.read_text()
    if path.suffix == ".py":
        raw = text.encode()
        for start, end, new in sorted(edits(text, module_of(path.parent / "_")[:-2]), reverse=True):
            raw = raw[:start] + new.encode() + raw[end:]
        text = raw.decode()

    def dotted(found: re.Match[str]) -> str:
        before = text[found.start() - 1 : found.start()]
        return text_name(found[0], quoted=before in ("'", '"'))

    text = DOTTED.sub(dotted, text)
    text = PATH.sub(lambda found: str(PATHS[Path(found[0])]), text)
    if text != old:
        path.write_text(text)


def git(*arguments: str) -> list[Path]:
    done = subprocess.run(["git", *arguments], check=True, capture_output=True, text=True)
    return [Path(line) for line in done.stdout.splitlines()]


def move(old: Path, new: Path) -> None:
    """Move a file, or what is left in a folder."""
    if old.is_dir():
        for path in git("ls-files", str(old)):
            move(path, new / path.relative_to(old))
    elif not old.exists():
        print(f"skipped, not there: {old}")
    elif new.exists():
        print(f"skipped, {new} is there: {old}")
    else:
        new.parent.mkdir(parents=True, exist_ok=True)
        git("mv", str(old), str(new))


def main() -> None:
    """Move, rewrite, add, and let ruff sort and wrap imports."""
    for old, new in PATHS.items():
        move(old, new)
    alone = [path for path in git("ls-files", "tests/fxsim") if path.name == "__init__.py"]
    if alone and alone == git("ls-files", "tests/fxsim"):
        git("rm", "--quiet", *map(str, alone))
    for path in git("ls-files"):
        kept = path.parts[0] == ".ci" or path.name == "CHANGELOG.md" or path.is_symlink()
        if path.suffix in SUFFIXES and path.is_file() and not kept:
            follow(path)
    for source in sorted((HERE / "new").rglob("*.py")):
        place = source.relative_to(HERE / "new")
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists() or place == Path("fxsim/__init__.py"):
            shutil.copyfile(source, place)
            git("add", str(place))
    for arguments in (["check", "--fix", "--select", "I"], ["format"]):
        subprocess.run([sys.executable, "-m", "ruff", *arguments, "--quiet", "."], check=True)


if __name__ == "__main__":
    main()
