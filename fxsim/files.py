"""Guarded readers and atomic writers: no file, however hostile, gets past them as a traceback.

YAML is read without aliases, merge keys, duplicate keys or tags, and with the plain scalars of
YAML 1.2 (``010``, ``12:30`` and ``on`` are text); npz without pickle, and only after the header of
each member agrees with the size that is really there.
"""

from __future__ import annotations

import io
import math
import os
import re
import shutil
import zipfile
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
import numpy.typing as npt
import yaml

from fxsim.errors import FileError
from fxsim.leftovers import open_temporary

MAX_YAML_BYTES = 1 << 20
MAX_ARRAY_BYTES = 1 << 30
MAX_MEMBERS = 4096
_KINDS = "iuf"
_TEXT = "U"
_SURROGATE = re.compile("[\ud800-\udfff]")
_FLOAT = re.compile(
    r"[-+]?(([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.inf)\Z|\.nan\Z"
)


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader that refuses what YAML would silently merge, multiply or reinterpret."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if self.check_event(yaml.AliasEvent):
            problem = "aliases are not allowed"
        elif event.tag is not None:
            problem = f"tags are not allowed, not {event.tag!r}"
        else:
            return super().compose_node(parent, index)
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        text = node.value
        if isinstance(text, str) and _SURROGATE.search(text):
            problem = f"text must be Unicode, not {text!r:.60}: half of a pair of surrogates"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        return super().construct_scalar(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                problem = "merge keys are not allowed"
            elif not isinstance(key, yaml.ScalarNode):
                problem = "keys must be plain values"
            elif (name := self.construct_object(key)) in seen:
                problem = f"key {name!r} is given twice"
            else:
                seen.add(name)
                continue
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
        return super().construct_mapping(node, deep=deep)


class _Dumper(yaml.SafeDumper):
    """SafeDumper that quotes text which `_StrictLoader` would take for a float."""


_StrictLoader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", re.compile(r"(true|True|TRUE|false|False|FALSE)\Z"), "tTfF"),
    ("int", re.compile(r"[-+]?(0|[1-9][0-9]*)\Z"), "-+0123456789"),
    ("float", _FLOAT, "-+.0123456789"),
    ("null", re.compile(r"(~|null|Null|NULL|)\Z"), ("~", "n", "N", "")),
    ("merge", re.compile(r"<<\Z"), "<"),
):
    _StrictLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _pattern, list(_first))
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


def read_bytes(path: Path, *, limit: int) -> bytes:
    """Read a regular file of at most ``limit`` bytes.

    Raises
    ------
    FileError
        If it is missing, unreadable, not a regular file, or larger.
    """
    try:
        _check_regular(path)
        if (size := path.stat().st_size) > limit:
            raise FileError(f"{path}: must be at most {limit} bytes, not {size}")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def open_file(path: Path) -> BinaryIO:
    """Open a regular file to read it.

    Raises
    ------
    FileError
        If it is missing, unreadable or not a regular file.
    """
    try:
        _check_regular(path)
        return path.open("rb")
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _check_regular(path: Path) -> None:
    if not path.is_file():
        raise FileError(f"{path}: {'is not a regular file' if path.exists() else 'not found'}")


def _unreadable(path: Path, error: OSError | ValueError) -> FileError:
    reason = error.strerror if isinstance(error, OSError) else error
    return FileError(f"{path}: cannot be read ({reason})")


def read_yaml(path: Path) -> Any:
    """Parse one YAML document into plain Python values.

    Raises
    ------
    FileError
        With line and column, if the text is malformed or uses a refused feature.
    """
    try:
        text = read_bytes(path, limit=MAX_YAML_BYTES).decode()
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: must be UTF-8 text ({error.reason})") from error
    return parse_yaml(text, path)


def parse_yaml(text: str, path: Path) -> Any:
    """Plain values of a YAML text, see `read_yaml`; ``path`` is for messages."""
    try:
        return yaml.load(text, Loader=_StrictLoader)
    except RecursionError as error:
        raise FileError(f"{path}: nested too deeply") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise FileError(f"{path}: {error.problem or error.context}{where}") from error
    except Exception as error:  # the constructors of plain values raise many types
        raise FileError(f"{path}: malformed YAML ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def read_header(
    where: str, stream: IO[bytes], size: int, kinds: str = _KINDS
) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, Fortran order and type of the npy of ``size`` bytes that a stream begins with.

    ``where`` is the file, with the member of an archive, for messages.

    Raises
    ------
    FileError
        If it holds other values than ``kinds``, or more or fewer than it claims. The parser of
        numpy raises other errors, too.
    """
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise FileError(f"{where}: npy version {version} is not supported")
    parse = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, fortran, dtype = parse(stream)
    if dtype.kind not in kinds:
        what = "text" if kinds == _TEXT else "integers or floats"
        raise FileError(f"{where}: must hold {what}, not {dtype}")
    if any(side < 0 for side in shape):
        raise FileError(f"{where}: shape must have no negative side, not {shape}")
    claimed, present = math.prod(shape) * dtype.itemsize, size - stream.tell()
    if claimed != present:
        raise FileError(f"{where}: header claims {claimed} bytes, file has {present}")
    return shape, fortran, dtype


def _read_array(where: str, stream: IO[bytes], size: int, kinds: str = _KINDS) -> npt.NDArray[Any]:
    shape, fortran, dtype = read_header(where, stream, size, kinds)
    data = stream.read(math.prod(shape) * dtype.itemsize)
    array = np.frombuffer(data, dtype=dtype).reshape(shape, order="F" if fortran else "C")
    return array.copy(order="C")


def check_members(path: Path, members: Sequence[zipfile.ZipInfo]) -> None:
    """Refuse members of an npz that are too many or too large, or no arrays."""
    names = [info.filename for info in members]
    if len(names) > MAX_MEMBERS or len(set(names)) != len(names):
        raise FileError(f"{path}: has too many members, or one name twice")
    if (total := sum(info.file_size for info in members)) > MAX_ARRAY_BYTES:
        raise FileError(f"{path}: must unpack to at most {MAX_ARRAY_BYTES} bytes, not {total}")
    for name in names:
        if not name.endswith(".npy"):
            raise FileError(f"{path}: {name!r} is not an array")


def read_npz(path: Path, *, text: str | None = None) -> dict[str, npt.NDArray[Any]]:
    """Read every array of an npz file; integers and floats only, never pickles.

    The array that is named ``text``, if there is one, holds text.

    Raises
    ------
    FileError
        If the file is missing, truncated, corrupt, pickled, too large, or lies about its size.
    """
    raw = read_bytes(path, limit=MAX_ARRAY_BYTES)
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            members = archive.infolist()
            check_members(path, members)
            found = {}
            for info in members:
                name = info.filename.removesuffix(".npy")
                kinds = _TEXT if name == text else _KINDS
                with archive.open(info) as stream:
                    where = f"{path}: {info.filename}"
                    found[name] = _read_array(where, stream, info.file_size, kinds)
            return found
    except FileError:
        raise
    except Exception as error:  # zipfile, zlib, struct and the header parser raise many types
        raise FileError(f"{path}: not a valid npz file ({_reason(error)})") from error


def read_npy(path: Path) -> npt.NDArray[Any]:
    """Read one array of integers or floats from an npy file, with the guards of `read_npz`."""
    raw = read_bytes(path, limit=MAX_ARRAY_BYTES)
    try:
        return _read_array(str(path), io.BytesIO(raw), len(raw))
    except FileError:
        raise
    except Exception as error:
        raise FileError(f"{path}: not a valid npy file ({_reason(error)})") from error


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, where they are missing.

    Raises
    ------
    FileError
        If it cannot be made; the message names the file, or the dangling link, that is in the way.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        check_folder(path)
        raise FileError(f"{path}: cannot be made ({error.strerror})") from error


def check_folder(path: Path) -> None:
    """Check that a folder is there, or that nothing is in its way.

    Raises
    ------
    FileError
        If a file or a dangling link is, in its place or above; the message names it.
    """
    for place in (path, *path.parents):
        if place.is_symlink() and not place.exists():
            raise FileError(
                f"{place}: is a symbolic link to {place.readlink()}, which does not exist"
            )
        if place.exists() and not place.is_dir():
            raise FileError(f"{place}: is a file, not a folder")


def check_file(path: Path) -> None:
    """Check that a file can be written at ``path``, in place of one that is there.

    Raises
    ------
    FileError
        If it is a folder, a device or below a file.
    """
    if path.is_dir():
        raise FileError(f"{path}: is a folder, not a file")
    if path.exists() and not path.is_file():  # renaming would destroy a device
        raise FileError(f"{path}: is not a regular file")
    check_folder(path.parent)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path next to ``path`` that takes its place when the block ends well.

    Of a symbolic link that is the file that it leads to. Those that killed processes have left
    there are removed.

    Raises
    ------
    FileError
        If the folder cannot be made or written, or ``path`` is a folder.
    """
    try:
        check_file(path)
        path = path.resolve() if path.is_symlink() else path
        make_folder(path.parent)
        handle, temporary = open_temporary(path)
    except OSError as error:
        raise FileError(f"{path}: cannot be written ({error.strerror})") from error
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except OSError as error:
        raise FileError(f"{path}: cannot be written ({error.strerror})") from error
    finally:
        temporary.unlink(missing_ok=True)
        os.close(handle)


def move(source: Path, target: Path) -> None:
    """Give ``source`` the name ``target``, in whose place it goes, atomically.

    Raises
    ------
    FileError
        If it cannot.
    """
    try:
        source.replace(target)
    except OSError as error:
        raise FileError(f"{target}: cannot be written ({error.strerror})") from error


def copy(source: Path, target: Path) -> None:
    """Copy a file with its mode.

    Raises
    ------
    FileError
        If ``target`` cannot be written.
    """
    try:
        shutil.copy(source, target)
    except OSError as error:
        raise FileError(f"{target}: cannot be written ({error.strerror})") from error


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that it holds, if it is there.

    Raises
    ------
    FileError
        If it cannot be removed.
    """
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except FileNotFoundError:  # another process removes it, too
        return
    except OSError as error:
        raise FileError(f"{path}: cannot be removed ({error.strerror})") from error


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` atomically, as UTF-8 and with the line ends that it has."""
    with replacing(path) as temporary:
        temporary.write_bytes(text.encode())


def write_yaml(path: Path, value: Any) -> None:
    """Write plain values as YAML, keys in the given order, atomically."""
    write_text(
        path,
        yaml.dump(value, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=100),
    )


def write_npz(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write arrays as a compressed npz, byte for byte repeatable, atomically."""
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, buffer.getvalue())
